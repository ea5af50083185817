package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// Options say how an S3 service is reached.
type Options struct {
	// Endpoint is the URL of the service, such as https://s3.lan:9000. Empty: that of
	// AWS in Region.
	Endpoint string
	Region   string // empty: us-east-1

	// VirtualHosts puts the name of the bucket into the host, not into the path.
	VirtualHosts bool

	Credentials aws.CredentialsProvider

	// Transport sends requests; nil: http.DefaultTransport. It retries what fails for
	// a while; see package throttle.
	Transport http.RoundTripper

	// PartSize is the size of the parts of multipart uploads, in bytes, from 5 MiB
	// on; 0: DefaultPartSize. A file of at most this size is sent in one request.
	PartSize int

	Log *slog.Logger // nil: slog.Default()
}

// DefaultPartSize allows for files of 160 GB, as S3 takes 10,000 parts.
const DefaultPartSize = 16 << 20

const minPartSize = 5 << 20

// A Store is an S3 service. Its methods are safe for concurrent use.
type Store struct {
	opts     Options
	endpoint *url.URL
	http     *http.Client
	signer   *v4.Signer
	api      *s3.Client
}

// New returns a Store. It makes no request. Its error says which option is
// wrong.
func New(o Options) (*Store, error) {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://s3." + o.Region + ".amazonaws.com"
	}
	if o.PartSize == 0 {
		o.PartSize = DefaultPartSize
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	endpoint, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		return nil, fmt.Errorf("endpoint: %w", err)
	case endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" || strings.Trim(endpoint.Path, "/") != "" || endpoint.RawQuery != "":
		return nil, fmt.Errorf("endpoint %.200q: it must be a URL such as https://s3.lan:9000", o.Endpoint)
	case o.Credentials == nil:
		return nil, errors.New("there are no credentials")
	case o.PartSize < minPartSize:
		return nil, fmt.Errorf("part size %d: it must be at least %d", o.PartSize, minPartSize)
	}
	client := &http.Client{Transport: o.Transport}
	return &Store{
		opts: o, endpoint: endpoint, http: client,
		signer: v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true }),
		api: s3.New(s3.Options{
			BaseEndpoint: aws.String(o.Endpoint), Region: o.Region, UsePathStyle: !o.VirtualHosts,
			Credentials: o.Credentials, HTTPClient: client, Retryer: aws.NopRetryer{},
			// Older stores refuse the checksums that the SDK adds by itself.
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		}),
	}, nil
}

// Source returns the store as an [engine.Source].
func (s *Store) Source() engine.Source { return source{s} }

// translate makes an error of the service one to branch on.
func translate(bucket string, err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return coded(bucket, api.ErrorCode(), err)
	}
	return err
}

// coded wraps an error with what its code means to the rest of Stocktake.
func coded(bucket, code string, err error) error {
	switch code {
	case "NoSuchBucket":
		return fmt.Errorf("%s: %w: %w", bucket, stocktake.ErrNoSuchBucket, err)
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken":
		return fmt.Errorf("%s: %w: %w", bucket, stocktake.ErrAccessDenied, err)
	}
	return err
}

// codeOf returns the error code of the service, empty if err is none of its.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// versioned reports whether the bucket has ever had versioning.
func (s *Store) versioned(ctx context.Context, bucket string) (bool, error) {
	out, err := s.api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil {
		return false, translate(bucket, err)
	}
	return out.Status != "", nil
}
