package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options configure the connection to a service. They are the same for every
// dialect.
type Options struct {
	// Endpoint is the URL of the service without a bucket, such as
	// https://s3.lan:9000. Empty: the public service in Region.
	Endpoint string

	Region     string     // empty: the default of the dialect
	Addressing Addressing // zero: the default of the dialect

	// Credentials returns the credentials to sign a request with. It is called for
	// each request that is sent, including repeated ones, by many goroutines at once.
	// It should therefore cache credentials until they expire. It is required.
	Credentials Provider

	// Transport sends requests; nil: http.DefaultTransport. Set TLS settings and the
	// number of connections there.
	Transport http.RoundTripper

	// WrapTransport decorates the transport that signs and sends requests; nil: no
	// decoration. Use it for retries, limits, counting and logging (package
	// throttle). Neither this package nor the SDKs repeat a request, except for pages
	// that arrive broken.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	// Requests is how many pages of a listing are requested concurrently, at most; 0:
	// DefaultRequests.
	Requests int

	// Useful returns how many requests it is useful to have in flight or waiting for
	// WrapTransport at present. More would only wait, and cut the listing into more
	// pieces than necessary. nil: as many as Requests.
	Useful func() int

	// Silence is how long a request may pass without a byte sent or received before
	// it fails; 0: DefaultSilence.
	Silence time.Duration

	// PartSize is the size of the parts of multipart uploads, in bytes, at least 5
	// MiB; 0: DefaultPartSize. A file of at most this size is sent in one request.
	PartSize int

	// PageSize is how many rows of a listing are requested at once, up to 50,000; 0:
	// DefaultPageSize. Services may return fewer, except OSS, which rejects more than
	// 1,000.
	PageSize int

	Log *slog.Logger // nil: slog.Default()
}

// DefaultRequests is how many pages of a listing are requested concurrently by
// default.
const DefaultRequests = 64

// DefaultSilence is longer than a loaded service takes for a page.
const DefaultSilence = time.Minute

// DefaultPartSize allows for files of 160 GB, as an upload has 10,000 parts.
const DefaultPartSize = 16 << 20

// DefaultPageSize is the most that AWS, OSS, MinIO and Ceph 16 return.
const DefaultPageSize = 1000

const maxPageSize = 50_000

const minPartSize = 5 << 20

// Addressing says where a URL contains the name of the bucket. The zero value is
// the default of the dialect.
type Addressing uint8

// The ways to address a bucket.
const (
	DefaultAddressing Addressing = iota
	PathStyle                    // https://endpoint/bucket/key
	VirtualHosted                // https://bucket.endpoint/key
)

// Credentials sign requests. The session token is empty for keys that do not
// expire.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SessionToken    string
}

// A Provider returns the credentials that are valid now. Its error fails the
// request.
type Provider func(context.Context) (Credentials, error)

// Static returns a Provider of credentials that never change.
func Static(c Credentials) Provider {
	return func(context.Context) (Credentials, error) { return c, nil }
}

// Complete returns o with the defaults filled in, and the URL of its endpoint. The
// error says which option is wrong. endpoint, region and addressing are the
// defaults of the dialect; endpoint may contain {region}.
func (o Options) Complete(endpoint, region string, addressing Addressing) (Options, *url.URL, error) {
	if o.Region == "" {
		o.Region = region
	}
	if o.Endpoint == "" {
		o.Endpoint = strings.ReplaceAll(endpoint, "{region}", o.Region)
	}
	if o.Addressing == DefaultAddressing {
		o.Addressing = addressing
	}
	if o.PartSize == 0 {
		o.PartSize = DefaultPartSize
	}
	if o.PageSize == 0 {
		o.PageSize = DefaultPageSize
	}
	if o.Requests == 0 {
		o.Requests = DefaultRequests
	}
	if o.Silence == 0 {
		o.Silence = DefaultSilence
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		return o, nil, fmt.Errorf("endpoint: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return o, nil, fmt.Errorf("endpoint %.200q: it must be a URL such as https://s3.lan:9000", u.Redacted())
	case o.Addressing > VirtualHosted:
		return o, nil, fmt.Errorf("addressing %d is unknown", o.Addressing)
	case o.Credentials == nil:
		return o, nil, errors.New("credentials are missing")
	case o.PartSize < minPartSize:
		return o, nil, fmt.Errorf("part size %d: it must be at least %d", o.PartSize, minPartSize)
	case o.PageSize < 1 || o.PageSize > maxPageSize:
		return o, nil, fmt.Errorf("page size %d: it must be from 1 to %d", o.PageSize, maxPageSize)
	case o.Requests < 0:
		return o, nil, fmt.Errorf("requests %d: the number must not be negative", o.Requests)
	case o.Silence < 0:
		return o, nil, fmt.Errorf("silence %v: it must not be negative", o.Silence)
	}
	return o, &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}
