package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/remote"
)

// New returns an S3 service as a store. It makes no request. The defaults are AWS,
// us-east-1 and path-style addresses. Its error says which option is wrong.
func New(o remote.Options) (*remote.Store, error) {
	o, endpoint, err := o.Complete("https://s3.{region}.amazonaws.com", "us-east-1", remote.PathStyle)
	if err != nil {
		return nil, err
	}
	d := &dialect{region: o.Region, signer: v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true })}
	conn := remote.NewConnection(o, endpoint, d.Sign)
	d.api = s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint.String()), Region: o.Region, UsePathStyle: o.Addressing == remote.PathStyle,
		Credentials: placeholderCredentials{}, HTTPClient: conn.Client, Retryer: aws.NopRetryer{},
		// Older stores refuse the checksums that the SDK adds by itself.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	return remote.New(o, conn, d), nil
}

// placeholderCredentials are the credentials that the SDK signs with. The connection signs the
// request again when it is sent.
type placeholderCredentials struct{}

func (placeholderCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "placeholder", SecretAccessKey: "placeholder"}, nil
}

// dialect implements [remote.Dialect].
type dialect struct {
	region string
	signer *v4.Signer
	api    *s3.Client
}

const (
	hashHeader = "X-Amz-Content-Sha256"

	// emptySHA256 is the hash of a body that is empty.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Scheme implements [remote.Dialect].
func (d *dialect) Scheme() string { return "s3" }

// Sign implements [remote.Dialect]. The SDK has set the hash of the body.
func (d *dialect) Sign(req *http.Request, _ string, c remote.Credentials, now time.Time) error {
	hash := req.Header.Get(hashHeader)
	if hash == "" {
		if req.Body != nil && req.Body != http.NoBody {
			return errors.New("the request has a body without a hash")
		}
		hash = emptySHA256
		req.Header.Set(hashHeader, hash)
	}
	req.Header.Del("Authorization")
	req.Header.Del("X-Amz-Security-Token")
	return d.signer.SignHTTP(req.Context(), aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.AccessKeySecret, SessionToken: c.SessionToken,
	}, req, hash, "s3", d.region, now)
}

// serviceError makes an answer of the service a [*remote.Error].
func serviceError(err error) error {
	status := 0
	if answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		status = answer.HTTPStatusCode()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return &remote.Error{Status: status, Code: api.ErrorCode(), Err: briefError(err, status, api)}
	}
	if unanswered, ok := errors.AsType[*remote.UnansweredError](err); ok {
		return unanswered // without the SDK's text, which describes an answer
	}
	if unsent, ok := errors.AsType[*remote.CredentialsError](err); ok {
		return unsent
	}
	if status == http.StatusNotFound { // of HEAD, which has no body
		return &remote.Error{Status: status, Code: "NotFound", Err: err}
	}
	return err
}

// briefError returns what the service has answered, without what the SDK says around it.
func briefError(err error, status int, api smithy.APIError) error {
	text := fmt.Sprintf("status %d: %.100q: %.300q", status, api.ErrorCode(), api.ErrorMessage())
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		text = op.OperationName + ": " + text
	}
	if answer, ok := errors.AsType[interface {
		error
		ServiceRequestID() string
	}](err); ok && answer.ServiceRequestID() != "" {
		text += fmt.Sprintf(" (request id %.100q)", answer.ServiceRequestID())
	}
	return errors.New(text)
}

// ListRight implements [remote.Dialect].
func (d *dialect) ListRight(versions bool) string {
	if versions {
		return "s3:ListBucketVersions"
	}
	return "s3:ListBucket"
}

// Versioned implements [remote.Dialect].
func (d *dialect) Versioned(ctx context.Context, bucket string) (bool, error) {
	out, err := d.api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil {
		return false, fmt.Errorf("versioning: %w", remote.Needs("s3:GetBucketVersioning", serviceError(err)))
	}
	return out.Status != "", nil
}

// Lists implements [remote.Dialect].
func (d *dialect) Lists(f stocktake.Field) bool {
	switch f {
	case stocktake.FieldObjectType, stocktake.FieldTransitionTime, stocktake.FieldCRC64,
		stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp:
		return false
	}
	return d.RequestFor(f) == 0
}
