package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/ossbucket"
	bucketclient "github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/throttle"
	"github.com/stocktake/stocktake/report"
)

// A bucketURL is oss://BUCKET/PATH or s3://BUCKET/PATH as it is written on a
// command line.
type bucketURL struct{ scheme, bucket, path string }

// parseBucketURL reads a URL; ok is false if text is the path of a file or folder.
// An empty text is refused: as a path it would mean the working directory.
func parseBucketURL(text string) (u bucketURL, ok bool, err error) {
	if text == "" {
		return u, false, usagef("the address is empty: name a folder, s3://BUCKET/PATH or oss://BUCKET/PATH; . is this folder")
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return u, false, nil
	}
	if scheme != "oss" && scheme != "s3" {
		return u, true, usagef("%q: a bucket is at oss://BUCKET/PATH or s3://BUCKET/PATH", text)
	}
	bucket, path, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return u, true, usagef("%q names no bucket: use %s://BUCKET/PATH", text, scheme)
	}
	return bucketURL{scheme, bucket, path}, true, nil
}

// name returns the URL of the bucket.
func (u bucketURL) name() string { return u.scheme + "://" + u.bucket }

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

// store returns a client of the store of a URL. Buckets at oss:// are those of the endpoint of the
// connection. Buckets at s3:// are found by the flags, otherwise as AWS's own tools find them: by
// the variables AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL and AWS_REGION, with credentials from
// variables or files.
func (r *reportRemote) store(u bucketURL) (bucketStore, error) {
	if u.scheme == "s3" {
		endpoint := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
		if r.named["endpoint"] {
			endpoint = r.Endpoint
		}
		region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
		if r.named["region"] {
			region = r.Region
		}
		return r.foreign(foreign.Settings{
			Name: "s3", Kind: foreign.S3, Credentials: foreign.Chain(), Buckets: []string{u.bucket},
			Endpoint: endpoint, VirtualHosts: endpoint == "", Region: region,
		})
	}
	if r.Profile != "" {
		endpoint, err := endpointURL(r.Endpoint)
		if err != nil {
			return nil, err
		}
		return r.foreign(foreign.Settings{
			Name: "oss", Kind: foreign.OSS, Buckets: []string{u.bucket}, Endpoint: endpoint.String(), Region: r.Region,
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
