package object

import (
	"time"

	"github.com/stocktake/stocktake"
)

// A Lifecycle has the rules for ageing objects of a bucket. The index keeps it as JSON, so the
// names of its fields are a file format.
//
// Source: OSS API reference, PutBucketLifecycle.
type Lifecycle struct {
	Rules []LifecycleRule
}

// A LifecycleRule applies to the objects for which all of its conditions hold.
type LifecycleRule struct {
	ID      string // 1 to 255 characters, distinct
	Enabled bool

	Prefix string
	Tags   []Tag
	Not    []LifecycleNot // none of these may hold

	// SizeGreaterThan and SizeLessThan bound the size in bytes, both exclusive; 0
	// means no bound.
	SizeGreaterThan, SizeLessThan int64

	Expiration  *LifecycleAge // of current versions
	Transitions []LifecycleTransition

	// ExpiredDeleteMarker removes delete markers that are the last of their key.
	ExpiredDeleteMarker bool

	NoncurrentExpiration  int // days since a version was replaced; 0: none
	NoncurrentTransitions []LifecycleTransition

	AbortUploads *LifecycleAge // of unfinished multipart uploads
}

// A LifecycleNot excludes objects that have the prefix and, if there is one, the
// tag.
type LifecycleNot struct {
	Prefix string
	Tag    *Tag
}

// A LifecycleAge says when an action is due. Exactly one field is set.
type LifecycleAge struct {
	Days          int       // since the object was last modified
	Date          time.Time // for all objects, from this midnight UTC on
	CreatedBefore time.Time // for objects last modified before this midnight UTC
}

// A LifecycleTransition moves objects to another storage class. For a noncurrent
// version, Days count from its replacement, and Date and CreatedBefore are unset.
type LifecycleTransition struct {
	LifecycleAge
	StorageClass stocktake.StorageClass
}
