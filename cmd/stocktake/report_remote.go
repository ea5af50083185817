package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/ossbucket"
	bucketclient "github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/throttle"
	"github.com/stocktake/stocktake/report"
)

// A bucketStore is a store as a run uses it.
type bucketStore interface {
	Source() engine.Source
	Destination(bucket string) engine.Destination
}

// reportRemote says where the buckets of reports are.
type reportRemote struct {
	remote
	Profile string `group:"Stores" help:"Profile of the keys, of ~/.aws or ~/.ossutilconfig. Default: as the official tools find keys, at oss:// those of the connection." placeholder:"NAME"`

	named map[string]bool // flags that stand on the command line
}

// AfterApply records which flags are on the command line: defaults and environment variables
// describe a Stocktake server, not buckets at s3://.
func (r *reportRemote) AfterApply(line *kong.Context) error {
	r.named = map[string]bool{}
	for _, p := range line.Path {
		if p.Flag != nil && !p.Resolved {
			r.named[p.Flag.Name] = true
		}
	}
	return nil
}

var _ reportplace.Buckets = (*reportRemote)(nil)

// Bucket implements [reportplace.Buckets].
func (r *reportRemote) Bucket(a reportplace.Address) (report.Bucket, error) {
	if a.Scheme == "oss" && r.Profile == "" {
		c, err := r.ossClient()
		if err != nil {
			return nil, err
		}
		return newOSSBucket(c, a.Bucket), nil
	}
	s, err := r.store(a)
	if err != nil {
		return nil, err
	}
	return s.Destination(a.Bucket), nil
}

// store returns a client of the store of an address. Buckets at oss:// are those of the endpoint of the
// connection. Buckets at s3:// are found by the flags, otherwise as AWS's own tools find them: by
// the variables AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL and AWS_REGION, with credentials from
// variables or files.
func (r *reportRemote) store(a reportplace.Address) (bucketStore, error) {
	if a.Scheme == "s3" {
		endpoint := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
		if r.named["endpoint"] {
			endpoint = r.Endpoint
		}
		region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
		if r.named["region"] {
			region = r.Region
		}
		return r.foreign(foreign.Settings{
			Name: "s3", Kind: foreign.S3, Credentials: foreign.Chain(), Buckets: []string{a.Bucket},
			Endpoint: endpoint, VirtualHosts: endpoint == "", Region: region,
		})
	}
	if r.Profile != "" {
		endpoint, err := endpointURL(r.Endpoint)
		if err != nil {
			return nil, err
		}
		return r.foreign(foreign.Settings{
			Name: "oss", Kind: foreign.OSS, Buckets: []string{a.Bucket}, Endpoint: endpoint.String(), Region: r.Region,
			VirtualHosts: !r.PathStyle && !isLocalHost(endpoint.Hostname()),
		})
	}
	k, err := r.key()
	if err != nil {
		return nil, err
	}
	endpoint, err := endpointURL(r.Endpoint)
	if err != nil {
		return nil, err
	}
	at := bucketclient.VirtualHosted
	if r.PathStyle || isLocalHost(endpoint.Hostname()) {
		at = bucketclient.PathStyle
	}
	s, err := ossbucket.New(bucketclient.Options{
		Endpoint: endpoint.String(), Region: r.Region, Addressing: at, Log: slog.New(slog.DiscardHandler),
		Credentials: bucketclient.Static(bucketclient.Credentials{AccessKeyID: k.ID, AccessKeySecret: k.Secret, SessionToken: k.Token}),
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return &throttle.Retry{Next: next, Attempts: 3, Log: slog.New(slog.DiscardHandler)}
		},
	})
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// foreign opens a store as take does, with the keys of the profile if one is named.
func (r *reportRemote) foreign(settings foreign.Settings) (bucketStore, error) {
	if settings.Kind == foreign.S3 && r.PathStyle {
		settings.VirtualHosts = false
	}
	if r.Profile != "" {
		settings.Credentials = foreign.Profile(r.Profile)
	}
	s, err := foreign.Open(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, usageError{err}
	}
	return s.Default(), nil
}

// A reportTarget is a destination of runs as a place for a converted report.
type reportTarget struct{ engine.Destination }

var _ report.Target = reportTarget{}

// Create implements [report.Target].
func (t reportTarget) Create(ctx context.Context, key, contentType string, exclusive bool) (report.TargetFile, error) {
	return t.Destination.Create(ctx, key, engine.FileOptions{ContentType: contentType, Exclusive: exclusive})
}

// A writePlace is where a command writes a report.
type writePlace struct {
	engine.Destination
	close func() error
}
