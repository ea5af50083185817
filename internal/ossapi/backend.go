package ossapi

import (
	"context"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// The interfaces that the OSS API needs of a store and of the inventory
// service, by subject. Callers tell errors apart with errors.Is. Every
// operation on a missing bucket returns [stocktake.ErrNoSuchBucket], every
// change without an origin object.ErrNoOrigin. After a nil error the change
// survives a crash of the machine.

// Registry finds the bucket that a request names, in any store. Bucket contacts no
// other machine, because it is called before the caller is authorized.
// internal/bucket.Registry implements it.
type Registry interface {
	Bucket(ctx context.Context, name string) (object.Bucket, error)

	// CheckBucket asks the store that holds the bucket whether it exists there, within
	// seconds. Errors: stocktake.ErrNoSuchBucket, object.ErrUnreachable.
	CheckBucket(ctx context.Context, name string) error
}

// Buckets stores buckets and their settings.
type Buckets interface {
	// CreateBucket creates b. If the owner already has the bucket with the same class
	// and redundancy, only the ACL is changed, and only if setACL is true. Errors:
	// object.ErrBucketExists, object.ErrTooManyBuckets (100 per owner).
	CreateBucket(ctx context.Context, by object.Origin, b object.Bucket, setACL bool) error

	// Buckets returns up to max buckets of owner, by name, whose name starts with
	// prefix and sorts after after, and whether there are more.
	Buckets(ctx context.Context, owner, prefix, after string, max int) (page []object.Bucket, more bool, err error)

	// UpdateBucket changes a bucket in one atomic step; update may be called
	// again on a newer state. An error of update is returned.
	UpdateBucket(ctx context.Context, by object.Origin, name string, update func(*object.Bucket) error) error

	// DeleteBucket removes an empty bucket; for others it returns
	// object.ErrBucketNotEmpty.
	DeleteBucket(ctx context.Context, by object.Origin, name string) error

	BucketStat(ctx context.Context, name string) (object.BucketStat, error)
}

// Objects stores objects and their versions.
type Objects interface {
	// PutObject stores all of body or nothing. Errors: object.ErrBadDigest,
	// ErrIncompleteBody, ErrTooLarge, ErrFileExists, ErrKMSKey; an error of body is
	// passed on.
	PutObject(ctx context.Context, by object.Origin, p object.Put, body io.Reader) (object.Info, error)

	// PutSymlink makes p's key a link to target. Errors: object.ErrFileExists.
	PutSymlink(ctx context.Context, by object.Origin, p object.Put, target string) (object.Info, error)

	// CopyObject creates p with the content of src; the bytes do not pass through the
	// caller. Before that, prepare receives the state of the source and completes p.
	// The copy has the attributes of p only. An error of prepare is returned. Errors:
	// those of Head on src and of PutObject.
	CopyObject(ctx context.Context, by object.Origin, src object.Version, p object.Put, prepare func(src object.Info, p *object.Put) error) (source, made object.Info, err error)

	// Head returns the state of a version. Errors: object.ErrNoSuchKey (a
	// *DeleteMarkerError if the current version is a delete marker),
	// ErrNoSuchVersion, ErrMethodNotAllowed if the named version is a delete marker.
	Head(ctx context.Context, v object.Version) (object.Info, error)

	// Open returns what Head returns and the content of exactly that state, even if
	// the object is overwritten or deleted meanwhile. The caller closes the content.
	Open(ctx context.Context, v object.Version) (object.Info, object.Content, error)

	// UpdateObject changes ACL, Tags, Restore, StorageClass, TransitionTime and
	// LastModified of a version in place, in one atomic step. Errors: those of Head and of update.
	UpdateObject(ctx context.Context, by object.Origin, v object.Version, update func(*object.Info) error) (object.Info, error)

	// Delete removes the version v.ID. If v.ID is empty it removes the current
	// version, in a versioned bucket by adding a delete marker. A missing object or
	// version is not an error.
	Delete(ctx context.Context, by object.Origin, v object.Version) (object.Deleted, error)

	// List returns a page of a listing.
	List(ctx context.Context, q object.ListQuery) (object.Listing, error)
}

// Appends grows appendable objects.
type Appends interface {
	// AppendObject appends body at position, which must be the object's length;
	// position 0 may create the object. An existing object takes only the ACL of p's
	// attributes, and only if p.SetACL is true. Errors: *object.PositionError,
	// ErrNotAppendable, ErrSealed, those of PutObject.
	AppendObject(ctx context.Context, by object.Origin, p object.Put, position int64, body io.Reader) (object.Info, error)

	// SealAppendObject ends appending. Errors: those of AppendObject.
	SealAppendObject(ctx context.Context, by object.Origin, bucket, key string, position int64) (object.Info, error)
}

// Uploads stores multipart uploads. Each method returns object.ErrNoSuchUpload for
// an unknown id, or for the id of another key's upload.
type Uploads interface {
	InitiateUpload(ctx context.Context, by object.Origin, p object.Put) (object.Upload, error)
	// UploadPart stores a part. It replaces an existing part with the same number.
	UploadPart(ctx context.Context, by object.Origin, u object.UploadID, number int, p object.Put, body io.Reader) (object.Part, error)
	// UploadPartCopy stores a part from n bytes of src at offset off. An n of -1
	// means to the end of src.
	UploadPartCopy(ctx context.Context, by object.Origin, u object.UploadID, number int, src object.Version, off, n int64, check func(object.Info) error) (source object.Info, part object.Part, err error)
	// CompleteUpload joins parts without copying them. Errors:
	// object.ErrInvalidPart, ErrInvalidPartOrder, ErrPartTooSmall, ErrFileExists.
	CompleteUpload(ctx context.Context, by object.Origin, u object.UploadID, c object.Completion) (object.Info, error)
	AbortUpload(ctx context.Context, by object.Origin, u object.UploadID) error
	// Parts returns up to max parts whose number is greater than after.
	Parts(ctx context.Context, u object.UploadID, after, max int) (upload object.Upload, parts []object.Part, more bool, err error)
	UploadList(ctx context.Context, q object.UploadQuery) (object.UploadListing, error)
}

// Store is an object store. internal/store implements it.
type Store interface {
	Buckets
	Objects
	Appends
	Uploads
}

// Inventories is the inventory service: internal/inventory.
type Inventories interface {
	// Put stores a new configuration of an existing bucket; when it returns nil, the
	// configuration is durable. It makes the checks that need other state, in this
	// order: the destination's existence and owner, a free id
	// (stocktake.ErrInventoryExists), the limit (stocktake.ErrInventoryExceedLimit).
	Put(ctx context.Context, bucket string, cfg stocktake.InventoryConfiguration) error
	// Replace replaces the configuration that has cfg's id by cfg in one step. It
	// returns the replaced document and the status of the new configuration. It makes
	// the checks of Put, and returns stocktake.ErrNoSuchInventory if no configuration
	// has the id.
	Replace(ctx context.Context, bucket string, cfg stocktake.InventoryConfiguration) (before []byte, status stocktake.InventoryStatus, err error)
	// Get returns the document of a configuration, written by inventoryxml.Append,
	// or stocktake.ErrNoSuchInventory for an unknown id.
	Get(ctx context.Context, bucket, id string) (document []byte, err error)
	// List returns the documents of up to max configurations whose id sorts after
	// after, in order of their ids. If there are more, next is the id of the last
	// one; else next is empty. If the bucket has no configurations, List returns
	// stocktake.ErrNoSuchInventory.
	List(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error)
	// Delete removes a configuration; a missing one is not an error. Its current run is
	// cancelled and publishes nothing more.
	Delete(ctx context.Context, bucket, id string) error
	// BucketDeleted removes the configurations of a bucket that has been deleted.
	BucketDeleted(ctx context.Context, bucket string) error

	// ForgetDeleted removes what is left of a deleted bucket with this name. It must
	// return nil before the bucket can be created again.
	ForgetDeleted(ctx context.Context, bucket string) error

	// Run starts a run now, independent of the schedule, or returns the run that is
	// already in progress.
	Run(ctx context.Context, bucket, id string) (stocktake.Run, error)
	// Cancel ends the current run. It returns stocktake.ErrNoSuchRun if there is
	// none.
	Cancel(ctx context.Context, bucket, id string) (stocktake.Run, error)
	// Runs returns the kept history, newest first.
	Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error)
	// Status returns the status of one configuration. If id is empty, it returns
	// those of all configurations of the bucket, in order of their ids.
	Status(ctx context.Context, bucket, id string) ([]stocktake.InventoryStatus, error)

	// Work returns which machines work on the runs of one configuration and on what.
	// If id is empty, it covers all configurations of the bucket.
	Work(ctx context.Context, bucket, id string) (stocktake.Work, error)

	// Suspend keeps a configuration from falling due until Resume. It does not end a
	// current run or change the configuration itself.
	Suspend(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error)
	Resume(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error)

	// Check makes the checks that a run would make. If all pass, it writes to the
	// destination and removes what it wrote. The warnings of the status include every
	// failure.
	Check(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error)

	// Retain sets which reports are kept. The others are removed after the next
	// successful run. It returns a *stocktake.InvalidArgumentError for a number that
	// is out of range.
	Retain(ctx context.Context, bucket, id string, r stocktake.Retention) (stocktake.InventoryStatus, error)
}
