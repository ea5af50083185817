package object

import (
	"time"

	"github.com/stocktake/stocktake"
)

// Limits of multipart uploads.
//
// Source: OSS developer guide, multipart upload.
const (
	MaxParts    = 10_000
	MinPartSize = 100 << 10 // bytes, except for the last part
	MaxPartSize = 5 << 30   // bytes; also the largest object of one PutObject
)

// An Upload is an unfinished multipart upload.
type Upload struct {
	ID           string // 32 upper-case hex digits
	Key          string
	Initiated    time.Time
	StorageClass stocktake.StorageClass
	Encryption   Encryption
	Meta         []Meta // of the future object; omitted in listings of uploads
}

// A Part is one uploaded part.
type Part struct {
	Number       int
	Size         int64
	MD5          [16]byte
	CRC64        uint64
	LastModified time.Time
}

// CompletedPart names a part in the request that completes an upload.
type CompletedPart struct {
	Number int
	ETag   string // without quotes; compared without regard to case
}

// Completion says how an upload becomes an object.
type Completion struct {
	Parts []CompletedPart // the parts to join; empty: none, for an empty object; nil: all
	ACL   stocktake.ACL   // DefaultACL: that of the upload

	// ForbidOverwrite is that of [Attributes].
	ForbidOverwrite bool
}

// UploadQuery asks for a page of the unfinished uploads of a bucket.
type UploadQuery struct {
	Bucket, Prefix, Delimiter string
	After                     string // key, exclusive unless AfterUpload is set
	AfterUpload               string // upload id of After, exclusive
	Max                       int    // 1 to 1,000
}

// UploadListing is a page of uploads, by key and then id.
type UploadListing struct {
	Uploads                    []Upload
	CommonPrefixes             []string
	Truncated                  bool
	NextAfter, NextAfterUpload string
}

// UploadID names an unfinished multipart upload.
type UploadID struct{ Bucket, Key, ID string }
