package object

import "errors"

// Conditions that a caller branches on with errors.Is. internal/ossapi maps each to the OSS code
// and status; [stocktake.ErrNoSuchBucket] is another one.
var (
	ErrUnreachable    = errors.New("the store that holds the bucket cannot be reached")
	ErrUnavailable    = errors.New("the database of the service does not answer")
	ErrBucketExists   = errors.New("the bucket belongs to another account or has other settings")
	ErrBucketNotEmpty = errors.New("the bucket has objects")
	ErrTooManyBuckets = errors.New("too many buckets")

	ErrNoSuchKey     = errors.New("no such key")
	ErrNoSuchVersion = errors.New("no such version")
	ErrFileExists    = errors.New("the object already exists and may not be overwritten")

	ErrBadDigest      = errors.New("the content does not match its digest")
	ErrIncompleteBody = errors.New("the body ended before its length was reached")
	ErrTooLarge       = errors.New("the object is larger than 5 GB")

	ErrDiskFull = errors.New("the disk is full")

	ErrNoSuchUpload     = errors.New("no such upload")
	ErrInvalidPart      = errors.New("a part is missing or has another entity tag")
	ErrInvalidPartOrder = errors.New("the parts are not in ascending order")
	ErrPartTooSmall     = errors.New("a part other than the last is smaller than 100 KB")

	ErrNotAppendable    = errors.New("the object is not appendable")
	ErrSealed           = errors.New("the object is sealed")
	ErrNotSymlink       = errors.New("the object is not a symlink")
	ErrNotArchived      = errors.New("the object is not of an archive class")
	ErrRestoreOngoing   = errors.New("the restore is in progress")
	ErrNotRestored      = errors.New("the archived object is not restored")
	ErrMethodNotAllowed = errors.New("the version is a delete marker")

	ErrPrecondition = errors.New("a precondition does not hold")
	ErrKMSKey       = errors.New("the KMS key does not exist or is disabled")
)

// A PositionError reports an append at a position other than the end.
type PositionError struct {
	Length int64 // of the object, where the next append must start
}

func (e *PositionError) Error() string { return "position is not equal to file length" }

// A DeleteMarkerError reports a read of a key whose current version is a delete marker. errors.Is
// matches it with ErrNoSuchKey.
type DeleteMarkerError struct{ VersionID string }

func (e *DeleteMarkerError) Error() string { return "the current version is a delete marker" }

// Is makes a delete marker a missing key for callers that do not distinguish them.
func (e *DeleteMarkerError) Is(target error) bool { return target == ErrNoSuchKey }
