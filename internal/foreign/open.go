package foreign

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/stocktake/stocktake/internal/ossbucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/internal/throttle"
)

// PartSize is the size in bytes above which a file is uploaded in parts.
const PartSize = remote.DefaultPartSize

// URL returns the URL of the store for clients.
func (s *Settings) URL() string {
	switch {
	case s.Endpoint != "":
		return s.Endpoint
	case s.Kind == OSS:
		return "https://oss-" + s.Region + ".aliyuncs.com"
	}
	return "https://s3." + cmp.Or(s.Region, "us-east-1") + ".amazonaws.com"
}

// host returns the host of URL.
func (s *Settings) host() string {
	u, err := url.Parse(s.URL())
	if err != nil {
		return ""
	}
	return u.Host
}

// connect returns a client with one access key. To add a kind of store, add a case
// here.
func (s *Store) connect(k keys, around func(http.RoundTripper) http.RoundTripper) (Client, error) {
	e := &s.settings
	o := remote.Options{
		Endpoint: e.URL(), Region: e.Region, Addressing: remote.PathStyle,
		Credentials: func(ctx context.Context) (remote.Credentials, error) {
			k, err := k(ctx)
			return remote.Credentials{AccessKeyID: k.ID, AccessKeySecret: k.Secret, SessionToken: k.Token}, err
		},
		Transport: s.observed, WrapTransport: around, Requests: e.Limits.Concurrency, Useful: s.gate.Useful, Log: s.log,
	}
	if e.VirtualHosts {
		o.Addressing = remote.VirtualHosted
	}
	switch e.Kind {
	case S3:
		return s3bucket.New(o)
	case OSS:
		return ossbucket.New(o)
	}
	return nil, fmt.Errorf("kind %q: this version has no client for it", e.Kind)
}

// withRetries decorates the transport of the clients of runs: it repeats requests that
// fail temporarily, and all clients of the store share its limits.
func (s *Store) withRetries(next http.RoundTripper) http.RoundTripper {
	return &throttle.Retry{Next: s.gate.Share(next), OnRetry: s.gate.CountRetry, Log: s.log}
}
