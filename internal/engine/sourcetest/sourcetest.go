// Package sourcetest is the contract of engine.Source and engine.Destination as two
// test suites, [Run] and [RunDestination]. A store runs them against itself through a
// small harness, and declares in [Abilities] what it can express: the suite tests all
// declared abilities, and skips only the others.
package sourcetest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// A Bucket is a new, empty bucket of a source, with methods to fill it in the store's
// own way. The suite calls its methods one after another; each ends the test if it
// fails.
type Bucket interface {
	Source() engine.Source
	Name() string
	Can() Abilities

	// Put makes the object the current version of its key and returns its version
	// id: empty in a bucket that never had versioning.
	Put(o Object) (versionID string)

	// Delete deletes the current version of key as a client does that names no
	// version: in a bucket with versioning it adds a delete marker, whose version
	// id it returns.
	Delete(key string) (versionID string)

	// DeleteVersion deletes one version, or one delete marker, permanently.
	DeleteVersion(key, versionID string)

	// SetVersioning enables versioning, or suspends it.
	SetVersioning(enabled bool)
}

// Abilities state what the store can express. The zero value is a store of
// unversioned objects that have a key, a size, a time and an ETag.
type Abilities struct {
	// Versions says that SetVersioning and DeleteVersion work.
	Versions bool

	// IgnoresMissing says that Delete of a key that has no versions does not add a
	// delete marker.
	IgnoresMissing bool

	// IgnoresDeleted says that Delete of a key whose current version is a delete
	// marker does not add another one.
	IgnoresDeleted bool

	// Batch is the number of records that the source fetches at once, such as the
	// rows of a page. The suite puts more objects than that.
	Batch int

	// MD5 says that the ETag of an object put in one request is its MD5, in digits
	// of either case.
	MD5 bool

	// CurrentIDs says that scans of current versions return their version ids.
	CurrentIDs bool

	S3Classes   bool                     // it has the classes of S3; Standard of an Object becomes STANDARD
	Classes     []stocktake.StorageClass // besides the standard one
	Types       []stocktake.ObjectType   // besides Normal
	NoTypes     bool                     // records have no types, except Multipart
	ACLs        []stocktake.ACL          // besides DefaultACL
	OwnACLs     bool                     // an object that is put without ACL is reported as Private
	NoACLs      bool                     // records have no ACLs
	NoChecksums bool                     // it does not report whether an object has a CRC-64
	Tags        bool
	Encryption  bool
	CRC64       bool // every object that has content has its CRC-64
	Transition  bool // the record says when a lifecycle rule moved the object
	LastAccess  bool

	// Refuses reports whether the store cannot hold a key that OSS can; nil: it
	// holds all of them.
	Refuses func(key string) bool
}

// An Object describes an object for [Bucket.Put]. The zero value of each field stands
// for the default of the store.
type Object struct {
	Key  string
	Body string

	Class stocktake.StorageClass

	// Type is how the object is created: by one request, by a multipart upload of one
	// part, by appending, or as a symlink to the key Body.
	Type stocktake.ObjectType

	ACL        stocktake.ACL
	Tags       int // number of tags
	Encrypted  bool
	Transition int64 // Unix seconds at which a lifecycle rule moved it to Class
	LastAccess int64 // Unix seconds
}

// subject is a Bucket under test.
type subject struct {
	Bucket
	can Abilities
}

// put puts a small object.
func (s *subject) put(key string) string { return s.Put(Object{Key: key, Body: "x"}) }

// putSize puts an object of size bytes.
func (s *subject) putSize(key string, size int) string {
	return s.Put(Object{Key: key, Body: strings.Repeat("x", size)})
}

// fill puts small objects.
func (s *subject) fill(keys ...string) {
	for _, key := range keys {
		s.put(key)
	}
}

// hostileKeys returns the hostile keys that the store can hold, ascending.
func (s *subject) hostileKeys() []string { return s.holds(HostileKeys) }

func (s *subject) holds(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return s.can.Refuses != nil && s.can.Refuses(key)
	})
}

func (s *subject) snapshot(t *testing.T) engine.Snapshot {
	t.Helper()
	snap, err := s.Source().Snapshot(t.Context(), s.Name())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	t.Cleanup(func() {
		if err := snap.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return snap
}

// scan collects copies of the records of a segment, and checks the rules of every
// scan.
func scan(t *testing.T, snap engine.Snapshot, seg engine.Segment, versions bool) (records []stocktake.Record) {
	t.Helper()
	err := snap.Scan(t.Context(), seg, versions, func(batch []stocktake.Record) error {
		if len(batch) == 0 {
			t.Error("an empty batch")
		}
		for _, r := range batch {
			records = append(records, clone(r))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Scan %+v: %v", seg, err)
	}
	for i, r := range records {
		key := string(r.Key)
		if !within(seg, key) {
			t.Errorf("key %q is not in %+v", key, seg)
		}
		if i > 0 && (key < string(records[i-1].Key) || !versions && key == string(records[i-1].Key)) {
			t.Errorf("key %q comes after %q", key, records[i-1].Key)
		}
		if !versions && (!r.IsLatest || r.IsDeleteMarker) {
			t.Errorf("%q: latest %v, delete marker %v in a scan of current versions", key, r.IsLatest, r.IsDeleteMarker)
		}
	}
	return records
}

func within(seg engine.Segment, key string) bool {
	return strings.HasPrefix(key, seg.Prefix) && key >= seg.From && (seg.To == "" || key < seg.To)
}

func clone(r stocktake.Record) stocktake.Record {
	r.Key, r.VersionID, r.ETag.Text = slices.Clone(r.Key), slices.Clone(r.VersionID), slices.Clone(r.ETag.Text)
	return r
}

func keysOf(records []stocktake.Record) (keys []string) {
	for _, r := range records {
		keys = append(keys, string(r.Key))
	}
	return keys
}

// wholeBucket is the segment of all keys.
var wholeBucket engine.Segment

// ended returns a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
