package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// A Dialect is the part of the protocol in which S3 and OSS differ. Each method
// except Sign makes one request and does not repeat it. An error that the service
// has answered is an [*Error]. The methods are safe for concurrent use.
type Dialect interface {
	// Scheme is the scheme of object addresses, such as "s3".
	Scheme() string

	// Sign signs a request that is about to be sent, whether it has been signed
	// before or not. bucket is empty if the request names none.
	Sign(req *http.Request, bucket string, c Credentials, now time.Time) error

	// Lists reports whether listings contain a column. Even then a listing may lack
	// the types of objects.
	Lists(f stocktake.Field) bool

	// RequestFor returns the request that answers with a column that listings lack; 0
	// if there is none.
	RequestFor(f stocktake.Field) DetailRequest

	// ReadHead sets the values in the header of an answer to RequestHead.
	ReadHead(h http.Header, r *stocktake.Record)

	// ReadACL returns the ACL of OSS that comes nearest to an AccessControlPolicy.
	ReadACL(doc *ossxml.Element) (stocktake.ACL, error)

	// ListRight returns the right to list current objects, or all versions.
	ListRight(versions bool) string

	// DetailRight returns the right that a request for details needs, about a current object or
	// about one of its versions.
	DetailRight(q DetailRequest, version bool) string

	// Versioned reports whether the bucket has ever had versioning.
	Versioned(ctx context.Context, bucket string) (bool, error)

	// Get reads an object. If span is not empty, it is the value of the header Range.
	// whole says that the service has sent the whole object.
	Get(ctx context.Context, bucket, key, span string) (body io.ReadCloser, whole bool, err error)

	// Head reports whether an object exists.
	Head(ctx context.Context, bucket, key string) (bool, error)

	// Delete deletes a version of an object; without versions, or with an empty
	// version, the current one. A missing object is not an error.
	Delete(ctx context.Context, bucket, key, version string) error

	// Put writes an object in one request. md5 is the MD5 of content in base64. If o
	// is exclusive, Put returns fs.ErrExist, wrapped, if the object exists, as far as
	// the service checks, and ErrConflict if another such write is in progress.
	Put(ctx context.Context, o Object, content io.ReadSeeker, md5 string) error

	// InitiateUpload begins an upload in parts.
	InitiateUpload(ctx context.Context, o Object) (upload string, err error)

	// UploadPart uploads a part, numbered from 1, and returns its ETag.
	UploadPart(ctx context.Context, o Object, upload string, number int, content io.ReadSeeker, md5 string) (etag string, err error)

	// CompleteUpload makes an object of the parts, whose ETags are given in order. It returns
	// the errors of Put, and ErrNoUpload if the upload does not exist.
	CompleteUpload(ctx context.Context, o Object, upload string, etags []string) error

	// AbortUpload drops an upload. A missing upload is not an error.
	AbortUpload(ctx context.Context, o Object, upload string) error

	// ListUploads returns a page of the unfinished uploads of keys that start with
	// prefix. after is the end of the previous page. next is the end of this page,
	// zero if it is the last one.
	ListUploads(ctx context.Context, bucket, prefix string, after Upload) (page []Upload, next Upload, err error)
}

// An Upload is an unfinished upload in parts.
type Upload struct{ Key, ID string }

// An Object describes an object to be written.
type Object struct {
	Bucket, Key string
	ContentType string
	Encryption  stocktake.Encryption
	Exclusive   bool // the write must not replace an object
}

// Errors to branch on, besides fs.ErrExist and fs.ErrNotExist. They are wrapped.
var (
	// ErrConflict is returned for concurrent exclusive writes of one object: it is
	// undecided whether one of them succeeds.
	ErrConflict = errors.New("another write of the object is in progress")

	// ErrNoUpload is returned for an upload that was finished, aborted or never begun.
	ErrNoUpload = errors.New("the upload does not exist")
)

// An UnansweredError is the error of a request that the service has not answered,
// or not completely.
type UnansweredError struct{ Err error }

func (e *UnansweredError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UnansweredError) Unwrap() error { return e.Err }

// MayPass reports true: the service may be reached later.
func (e *UnansweredError) MayPass() bool { return true }

// A CredentialsError is the error of a request that was not sent, because its
// access key could not be read or renewed.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return "no access key: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// NotSent reports true: whoever repeats requests need not repeat this one.
func (e *CredentialsError) NotSent() bool { return true }

// Advice returns how to correct the settings of the store.
func (e *CredentialsError) Advice() string {
	return "check the credentials in the settings of the store"
}

// An Error is an error that the service has answered.
type Error struct {
	Status int    // of HTTP
	Code   string // the service's own code, such as "NoSuchBucket"; may be empty
	Right  string // missing right of the credentials, such as "s3:PutObject"; may be empty
	Err    error  // error of the SDK, or the answer
}

func (e *Error) Error() string {
	if e.Right == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + ": the credentials lack the right " + e.Right
}

// Needs returns err, the error of a request that needs a right. If the service has
// denied access, the returned error names the right.
func Needs(right string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusForbidden && !e.OtherRegion() && (e.Code == "" || e.Code == "AccessDenied" || e.Code == "Forbidden") {
		e.Right = right
	}
	return err
}

// Advice returns how to correct the settings of the store, or the policies there.
// It returns "" if neither is the cause. The reason of a failed run includes it.
func (e *Error) Advice() string {
	switch {
	case e.OtherRegion():
		return "correct the region and the endpoint in the settings of the store"
	case e.Right != "":
		return "grant it to the user whose keys are in the settings of the store"
	case e.credentials():
		return "correct the keys in the settings of the store"
	case errors.Is(e, stocktake.ErrAccessDenied):
		return "check the rights of the user whose keys are in the settings of the store"
	}
	return ""
}

// OtherRegion reports whether the service has answered that the bucket is in another
// region than the one that the request was sent to or signed for.
//
// Source: error messages of S3, MinIO and OSS. OSS answers AccessDenied with the
// message that S3 has for PermanentRedirect.
func (e *Error) OtherRegion() bool {
	text := e.Err.Error()
	return strings.Contains(text, "must be addressed using the specified endpoint") ||
		strings.Contains(text, "signing region") ||
		e.Code == "AuthorizationHeaderMalformed" && strings.Contains(text, "region")
}

// MayPass reports whether the same request may succeed later: the service is
// overloaded, or has failed internally.
func (e *Error) MayPass() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// Unwrap returns the error of the SDK, and the project's error for the code.
func (e *Error) Unwrap() []error {
	switch e.Code {
	case "NoSuchBucket":
		return []error{e.Err, stocktake.ErrNoSuchBucket}
	case "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled",
		"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "SecurityTokenExpired", "InvalidSecurityToken":
		return []error{e.Err, stocktake.ErrAccessDenied}
	case "NoSuchKey", "NotFound", "NoSuchVersion":
		return []error{e.Err, fs.ErrNotExist}
	case "InvalidRange":
		return []error{e.Err, io.ErrUnexpectedEOF}
	case "PreconditionFailed", "FileAlreadyExists":
		return []error{e.Err, fs.ErrExist}
	case "ConditionalRequestConflict", "OperationAborted":
		return []error{e.Err, ErrConflict}
	case "NoSuchUpload":
		return []error{e.Err, ErrNoUpload}
	}
	return []error{e.Err}
}

// Optional returns a pointer to text, or nil if it is empty, as the SDKs take an optional parameter.
func Optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
