package journal

import (
	"time"

	"github.com/stocktake/stocktake"
)

// A Change is one entry of a journal. The function that returns it defines how long its slices are
// valid.
type Change struct {
	// Sequence is greater than that of every earlier change of the bucket. It is unique in its
	// store: no other change ever has it, not even of another bucket or of a bucket created again.
	// The numbers of consecutive changes may have any distance.
	Sequence uint64

	// Time is when the change was committed, in Unix milliseconds. It never falls
	// from one change to the next: while the clock is behind, the last time is
	// repeated.
	Time int64

	Type Type

	// Permanent marks a Delete that permanently removes a version or a delete marker. Only Key,
	// VersionID and IsLatest of its Record have a meaning. A Delete that is not permanent has added
	// the delete marker that its Record shows.
	Permanent bool

	// Revealed marks a Create that is not an upload: the newer version was permanently removed, and
	// this one is the newest of its key again. It follows the Delete in the same commit. The
	// version itself has not changed, so reports of all versions omit it, and those of current
	// versions need it.
	Revealed bool

	// Requester, RequestID and SourceIP say who made the change, by which request and from where;
	// all are empty for changes that the service makes by itself. Requester is the UID of an
	// account or a user, the principal id of a session, or object.Anonymous. SourceIP is empty if
	// the address is unknown.
	Requester, RequestID, SourceIP []byte

	// Record is the object version after the change. VersionID is empty if the
	// bucket had never had versioning at the time; once it has, the same version
	// is called "null".
	//
	// IsLatest says that the version is the newest of its key after the change or, for a permanent
	// Delete, that it was before. Reports of current versions show only changes with IsLatest.
	Record stocktake.Record
}

// A Type is the kind of a change, named as in OSS. The zero value is illegal.
type Type uint8

// The types of changes.
//
// Source: OSS developer guide, bucket inventory, incremental inventory.
const (
	Create         Type = iota + 1 // an upload of any kind, an overwrite and an append among them
	UpdateMetadata                 // ACL, tags, storage class, restore, seal
	Delete                         // of a version, or with a delete marker
)

// String returns the value of column RecordType; empty for an illegal type.
func (t Type) String() string {
	if t > Delete {
		return ""
	}
	return [...]string{"", "CREATE", "UPDATE_METADATA", "DELETE"}[t]
}

// A Gap is a range of changes that were dropped unread, because the journal had
// grown over its bound.
type Gap struct {
	First, Last stocktake.JournalPosition // of the first and the last change lost
	Changes     uint64                    // how many were lost, whatever their keys; at least 1
}

// Overlaps reports whether changes of the gap may be missing from the window
// from one position to another, by their times.
func (g *Gap) Overlaps(after, until stocktake.JournalPosition) bool {
	return g.Last.Sequence > after.Sequence && g.Last.Time >= after.Time && g.First.Time < until.Time
}

// A Reader is a subscription.
type Reader struct {
	ID     string                    // unique in its bucket
	Prefix string                    // of the keys whose changes are journalled for it; empty: all
	At     stocktake.JournalPosition // the reader is done with the changes up to here
}

// A Stat describes the journal of a bucket for operators. The zero Stat is that of
// a bucket without readers.
type Stat struct {
	Readers int
	Changes uint64    // kept
	Bytes   int64     // bytes of the kept changes before compression
	Limit   int64     // of Bytes; beyond it the oldest changes are dropped
	Oldest  time.Time // of the changes kept; zero: none are
	Lost    uint64    // changes in gaps that some reader has not passed
}
