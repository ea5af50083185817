package lifecycle

import (
	"context"

	"github.com/stocktake/stocktake/internal/object"
)

// A Store has the methods that a worker needs from an object store, such as internal/store. Every
// operation on a missing bucket returns stocktake.ErrNoSuchBucket. A nil error of a change means
// that it survives a crash of the machine.
type Store interface {
	// Bucket returns the state of a bucket.
	Bucket(ctx context.Context, name string) (object.Bucket, error)

	// Buckets returns up to max buckets of owner, by name, that sort after after, and
	// whether there are more.
	Buckets(ctx context.Context, owner, prefix, after string, max int) (page []object.Bucket, more bool, err error)

	// List returns a page of a listing of versions; their tags may be left out.
	List(ctx context.Context, q object.ListQuery) (object.Listing, error)

	// Head returns the state of a version, with its tags. Errors: object.ErrNoSuchKey,
	// ErrNoSuchVersion, ErrMethodNotAllowed of a delete marker.
	Head(ctx context.Context, v object.Version) (object.Info, error)

	// UpdateObject changes the class of a version in place, in one atomic step.
	// Errors: object.ErrNoSuchKey, ErrNoSuchVersion, ErrMethodNotAllowed, and what
	// update returns; then nothing is changed.
	UpdateObject(ctx context.Context, by object.Origin, v object.Version, update func(*object.Info) error) (object.Info, error)

	// DeleteIf does what DeleteObject does, but first calls check with the version to delete. If
	// check returns an error, DeleteIf changes nothing and returns it. Both are one atomic step. If
	// v.ID is empty, the version is the current one, which may be a delete marker. Errors:
	// object.ErrNoSuchKey, ErrNoSuchVersion.
	DeleteIf(ctx context.Context, by object.Origin, v object.Version, check func(object.Info) error) (object.Deleted, error)

	// UploadList returns a page of the unfinished uploads.
	UploadList(ctx context.Context, q object.UploadQuery) (object.UploadListing, error)

	// Parts returns up to max parts whose number is greater than after. It returns
	// object.ErrNoSuchUpload if the upload is gone.
	Parts(ctx context.Context, u object.UploadID, after, max int) (upload object.Upload, parts []object.Part, more bool, err error)

	// AbortUpload returns object.ErrNoSuchUpload if the upload is gone.
	AbortUpload(ctx context.Context, by object.Origin, u object.UploadID) error
}

// An Observer is called after every pass through a bucket, for metrics.
type Observer interface {
	// PassDone is called from the goroutine of the pass. err is the reason why the
	// pass did not finish, or the first failure of a change; nil if there was
	// neither.
	PassDone(p Pass, err error)
}
