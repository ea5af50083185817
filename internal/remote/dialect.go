package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// A Dialect is what S3 and OSS do differently. Each method but Sign makes one
// request, and none repeats it. An error that the service has answered is an
// [*Error]. The methods are safe for concurrent use.
type Dialect interface {
	// Scheme is that of the addresses of objects, such as "s3".
	Scheme() string

	// Sign signs a request that is about to be sent, whether it has been signed
	// before or not. bucket is empty if the request names none.
	Sign(req *http.Request, bucket string, c Credentials, now time.Time) error

	// Lists reports whether listings tell a column. A listing may lack the types of
	// objects all the same.
	Lists(f stocktake.Field) bool

	// Tells returns the question that tells a column which listings lack; 0: none
	// does.
	Tells(f stocktake.Field) Question

	// ReadHead sets what the header of an answer to AskHead tells.
	ReadHead(h http.Header, r *stocktake.Record)

	// ReadACL returns the ACL of OSS that comes nearest to an AccessControlPolicy.
	ReadACL(doc *ossxml.Element) (stocktake.ACL, error)

	// ListRight is the right to list current objects, or all versions.
	ListRight(versions bool) string

	// DetailRight is the right that a question about a current object takes, or about
	// one of its versions.
	DetailRight(q Question, version bool) string

	// Versioned reports whether the bucket has ever had versioning.
	Versioned(ctx context.Context, bucket string) (bool, error)

	// Get reads an object, or the part of it that the header Range asks for if span
	// is not empty. whole says that the service has sent all of it.
	Get(ctx context.Context, bucket, key, span string) (body io.ReadCloser, whole bool, err error)

	// Stat reports whether there is an object.
	Stat(ctx context.Context, bucket, key string) (bool, error)

	// Delete deletes a version of an object; without versions, or with an empty
	// version, the current one. That there is none is not an error.
	Delete(ctx context.Context, bucket, key, version string) error

	// Put writes an object in one request. md5 is that of content, in base 64. It
	// returns fs.ErrExist, wrapped, if o is exclusive and there is an object, as far
	// as the service looks, and ErrConflict if another such write is under way.
	Put(ctx context.Context, o Object, content io.ReadSeeker, md5 string) error

	// Begin begins an upload in parts.
	Begin(ctx context.Context, o Object) (upload string, err error)

	// Part uploads a part, numbered from 1, and returns its ETag.
	Part(ctx context.Context, o Object, upload string, number int, content io.ReadSeeker, md5 string) (etag string, err error)

	// Finish makes an object of the parts, whose ETags it is given in order. It
	// returns the errors of Put as well, and ErrNoUpload if there is no such upload.
	Finish(ctx context.Context, o Object, upload string, etags []string) error

	// Abort drops an upload. That there is none is not an error.
	Abort(ctx context.Context, o Object, upload string) error

	// Uploads returns a page of the unfinished uploads of keys that start with prefix,
	// after those of the page before, whose end after is; and the end of this page,
	// zero if it is the last one.
	Uploads(ctx context.Context, bucket, prefix string, after Upload) (page []Upload, next Upload, err error)
}

// An Upload is an unfinished upload in parts.
type Upload struct{ Key, ID string }

// An Object is what is to be written.
type Object struct {
	Bucket, Key string
	ContentType string
	Encryption  stocktake.Encryption
	Exclusive   bool // there must be no object
}

// Errors to branch on, besides fs.ErrExist and fs.ErrNotExist. They are wrapped.
var (
	// ErrConflict is returned by writes that must be exclusive and were under way at
	// the same time as others: whether one of them succeeds is not decided.
	ErrConflict = errors.New("another write of the object is in progress")

	// ErrNoUpload is returned for an upload that was finished, aborted or never begun.
	ErrNoUpload = errors.New("the upload does not exist")
)

// An UnansweredError is that of a request which the service has not answered, or not
// in full.
type UnansweredError struct{ Err error }

func (e *UnansweredError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UnansweredError) Unwrap() error { return e.Err }

// MayPass reports true: the service may be reached later.
func (e *UnansweredError) MayPass() bool { return true }

// An Error is an error that the service has answered.
type Error struct {
	Status int    // of HTTP
	Code   string // in the service's words, such as "NoSuchBucket"; may be empty
	Right  string // that the credentials lack, such as "s3:PutObject"; may be empty
	Err    error  // of the SDK, or what was answered
}

func (e *Error) Error() string {
	if e.Right == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + ": the credentials lack the right " + e.Right
}

// Needs returns err, which is that of a request that takes a right; if the service
// has denied access, it names the right.
func Needs(right string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusForbidden && (e.Code == "" || e.Code == "AccessDenied" || e.Code == "Forbidden") {
		e.Right = right
	}
	return err
}

// Advice says how the settings of the store, or the policies there, can be corrected;
// empty: that is not what is wrong. It is part of the reason of a run.
func (e *Error) Advice() string {
	switch {
	case e.Right != "":
		return "grant it to the user whose keys are in the settings of the store"
	case e.credentials():
		return "correct the keys in the settings of the store"
	case errors.Is(e, stocktake.ErrAccessDenied):
		return "check the rights of the user whose keys are in the settings of the store"
	}
	return ""
}

// MayPass reports whether the same request may be answered well later: the service
// is overloaded, or fails by itself.
func (e *Error) MayPass() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// Unwrap returns the error of the SDK, and what the code means to the rest of
// Stocktake.
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
