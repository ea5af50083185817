package ossbucket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/retry"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/remote"
)

// New returns an OSS service as a store. It makes no request. The defaults are
// Alibaba Cloud, cn-hangzhou, and bucket names in the host, except for an endpoint
// that is an IP address. Its error says which option is wrong.
func New(o remote.Options) (*remote.Store, error) {
	addressing := remote.VirtualHosted
	if u, err := url.Parse(o.Endpoint); err == nil && net.ParseIP(u.Hostname()) != nil {
		addressing = remote.PathStyle
	}
	o, endpoint, err := o.Complete("https://oss-{region}.aliyuncs.com", "cn-hangzhou", addressing)
	if err != nil {
		return nil, err
	}
	d := &dialect{region: o.Region, virtual: o.Addressing == remote.VirtualHosted}
	conn := remote.NewConnection(o, endpoint, d.Sign)
	config := oss.LoadDefaultConfig().
		WithRegion(o.Region).WithEndpoint(endpoint.String()).WithUsePathStyle(!d.virtual).
		WithHttpClient(conn.Client).WithRetryer(retry.NopRetryer{}).
		// The connection signs each request when it is sent.
		WithCredentialsProvider(credentials.NewAnonymousCredentialsProvider()).
		// Every body goes with its MD5, which the service compares.
		WithDisableUploadCRC64Check(true)
	d.api = oss.NewClient(config)
	return remote.New(o, conn, d), nil
}

// dialect implements [remote.Dialect].
type dialect struct {
	region  string
	virtual bool
	api     *oss.Client
}

// Scheme implements [remote.Dialect].
func (d *dialect) Scheme() string { return "oss" }

// Sign implements [remote.Dialect].
func (d *dialect) Sign(req *http.Request, bucket string, c remote.Credentials, now time.Time) error {
	key := strings.TrimPrefix(req.URL.Path, "/")
	if !d.virtual {
		key = strings.TrimPrefix(strings.TrimPrefix(key, bucket), "/")
	}
	ctx := signer.SigningContext{
		Product: oss.Ptr(oss.DefaultProduct), Region: &d.region, Request: req, Time: now,
		Credentials: &credentials.Credentials{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SessionToken},
	}
	if bucket != "" {
		ctx.Bucket, ctx.Key = &bucket, &key
	}
	req.Header.Del("Authorization")
	req.Header.Del("X-Oss-Security-Token")
	return (&signer.SignerV4{}).Sign(req.Context(), &ctx)
}

// serviceError makes an answer of the service a [*remote.Error].
func serviceError(err error) error {
	if answer, ok := errors.AsType[*oss.ServiceError](err); ok {
		return &remote.Error{Status: answer.StatusCode, Code: answer.Code, Err: briefError(answer)}
	}
	if unsent, ok := errors.AsType[*remote.CredentialsError](err); ok {
		return unsent
	}
	return err
}

// briefError returns what the service has answered in one line, as the SDK takes
// eight.
func briefError(e *oss.ServiceError) error {
	return fmt.Errorf("status %d: %.100q: %.300q (request id %.100q, EC %.100q)", e.StatusCode, e.Code, e.Message, e.RequestID, e.EC)
}

// ListRight implements [remote.Dialect].
func (d *dialect) ListRight(versions bool) string {
	if versions {
		return "oss:ListObjectVersions"
	}
	return "oss:ListObjects"
}

// Versioned implements [remote.Dialect].
func (d *dialect) Versioned(ctx context.Context, bucket string) (bool, error) {
	out, err := d.api.GetBucketVersioning(ctx, &oss.GetBucketVersioningRequest{Bucket: &bucket})
	if err != nil {
		return false, fmt.Errorf("versioning: %w", remote.Needs("oss:GetBucketVersioning", serviceError(err)))
	}
	return oss.ToString(out.VersionStatus) != "", nil
}

// Lists implements [remote.Dialect].
func (d *dialect) Lists(f stocktake.Field) bool {
	return f != stocktake.FieldLastAccessDate && f != stocktake.FieldLastAccessTimestamp && d.RequestFor(f) == 0
}
