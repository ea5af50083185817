// Package object is the vocabulary of the object store: buckets, objects and operations on them.
// internal/store keeps them, internal/ossapi serves them; neither imports the other.
package object

import (
	"time"

	"github.com/stocktake/stocktake"
)

// A Bucket is the state and the settings of a bucket. The memory behind its slices and pointers
// never changes: to change a setting, replace it.
type Bucket struct {
	Name   string
	Owner  string // account id
	Region string // plain id such as "cn-hangzhou"; set by the registry, not stored. Empty: unknown

	// Store is the name of the named store that has the bucket, and Endpoint the URL of its
	// objects; the registry sets both, and they are not stored. Empty: the bucket is in the
	// embedded store.
	Store, Endpoint string

	// S3 says that the store speaks S3: names of buckets and storage classes are those of S3. Set
	// by the registry, not stored.
	S3 bool

	Created      time.Time
	StorageClass stocktake.StorageClass // of objects put without a class
	Redundancy   string                 // "LRS" or "ZRS"
	ACL          stocktake.ACL          // never DefaultACL
	Versioning   Versioning
	Encryption   Encryption // default of objects put without one

	Tags              []Tag      // in the order they were put
	Policy            []byte     // bucket policy, JSON as it was put; nil: none
	BlockPublicAccess bool       // no ACL or policy may make the bucket public
	ResourceGroup     string     // "rg-..."; empty: the default group
	RequesterPays     bool       // callers other than the owner must offer to pay
	Lifecycle         *Lifecycle // nil: no rules
	CORS              *CORS      // nil: no access for pages of other origins
}

// NewBucket returns the state of a bucket that is created with default settings. As in OSS, it
// blocks public access.
func NewBucket(name, owner string, created time.Time) Bucket {
	return Bucket{
		Name: name, Owner: owner, Created: created,
		Redundancy: "LRS", ACL: stocktake.Private, BlockPublicAccess: true,
	}
}

// Versioning is the versioning state of a bucket. The zero value is never
// enabled.
type Versioning uint8

// The versioning states.
const (
	Unversioned Versioning = iota
	Enabled
	Suspended
)

// String returns the text of element Status; empty for Unversioned.
func (v Versioning) String() string { return [...]string{"", "Enabled", "Suspended"}[v] }

// Encryption is the encryption of an object at rest. The zero value means none.
type Encryption struct {
	Algorithm string // "", "AES256", "KMS" or "SM4"
	KeyID     string // of the KMS key; empty: the default key, whose id a stored object names
	Data      string // "SM4" if the client asked KMS for it, else empty
}

// NullVersion is the version id of objects written while versioning was not
// enabled.
const NullVersion = "null"

// Info describes one version of an object, without its bytes.
type Info struct {
	Key string

	// VersionID is empty in a bucket that never had versioning, else an opaque
	// id or NullVersion.
	VersionID      string
	IsLatest       bool
	IsDeleteMarker bool

	Size         int64 // bytes of content
	ETag         stocktake.ETag
	MD5          []byte // 16 bytes, or nil where unknown (multipart, appendable)
	CRC64        uint64 // ECMA, of the whole content
	LastModified time.Time
	Type         stocktake.ObjectType
	Parts        int // of a multipart object; else 0

	StorageClass   stocktake.StorageClass
	TransitionTime time.Time // zero: a lifecycle rule never moved it
	Restore        Restore
	Sealed         bool // appendable objects

	ACL        stocktake.ACL
	Encryption Encryption
	Headers    Headers
	Tags       []Tag
	Symlink    string // target key of a symlink
}

// Restore is the state of a restored archive object. The zero value means not restored.
type Restore struct {
	Requested time.Time // zero: never
	Ready     time.Time // from when on it can be read
	Expires   time.Time // until when it can be read
}

// Headers are the HTTP headers kept with an object and sent back with it.
type Headers struct {
	ContentType        string
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string
	Meta               []Meta // x-oss-meta-*, sorted by name
}

// Meta is one header of user metadata.
type Meta struct {
	Name  string // lower case, without "x-oss-meta-"
	Value string
}

// Tag is one tag of an object or a bucket.
type Tag struct{ Key, Value string }

// Attributes describe an object that is being written, apart from its bytes.
type Attributes struct {
	Headers      Headers
	StorageClass *stocktake.StorageClass // nil: the bucket's
	ACL          stocktake.ACL
	Encryption   *Encryption // nil: the bucket's default
	Tags         []Tag

	// ForbidOverwrite refuses the write with ErrFileExists if the key has an
	// object. It is ignored once versioning has been enabled, as OSS does.
	ForbidOverwrite bool
}

// Put describes an object that is put as a whole.
type Put struct {
	Attributes
	Bucket, Key string
	Size        int64  // bytes of the body; -1: until its end
	SetACL      bool   // an append to an existing object changes its ACL to ACL
	MD5         []byte // expected MD5, 16 bytes, else ErrBadDigest; nil: not checked
	SHA256      []byte // expected SHA-256, 32 bytes, else ErrBadDigest; nil: not checked
}

// Version names one version of an object. ID empty is the current one.
type Version struct{ Bucket, Key, ID string }

// Deleted is the result of a delete.
type Deleted struct {
	VersionID    string // of the marker made, or of the version removed; empty in an unversioned bucket
	DeleteMarker bool   // a marker was made, or the version removed was one
}

// ListQuery asks for a page of a listing. Delimiter rolls keys up.
type ListQuery struct {
	Bucket    string
	Prefix    string
	Delimiter string
	Max       int // entries and common prefixes together, 1 to 1,000

	// After is exclusive: only keys (and common prefixes) that sort after it. If
	// AfterVersion is set, the listing continues with the versions of the key After
	// that come after AfterVersion.
	After, AfterVersion string

	// Versions asks for every version and delete marker instead of the current
	// versions.
	Versions bool
}

// Listing is a page of a listing.
type Listing struct {
	Entries        []Info   // key ascending, newest version first; Headers, Tags and MD5 may be left out
	CommonPrefixes []string // ascending

	// Truncated says that entries follow after NextAfter (and NextAfterVersion, in a listing of
	// versions), which are then set.
	Truncated                   bool
	NextAfter, NextAfterVersion string
}

// BucketStat holds a bucket's statistics, updated with every write.
type BucketStat struct {
	Objects       [stocktake.NumStorageClasses]int64 // versions, by class
	Bytes         [stocktake.NumStorageClasses]int64
	DeleteMarkers int64
	Uploads       int64 // unfinished multipart uploads
	LastModified  time.Time
}
