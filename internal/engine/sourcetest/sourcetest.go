// Package sourcetest is what a Source and a Destination of internal/engine
// promise, as test suites that each implementation runs: [Run] and
// [RunDestination].
package sourcetest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
)

// A Fixture is a new, empty bucket of a source, and the means to fill it. Its
// writes are done one after another and end the test if they cannot be done.
type Fixture struct {
	Source engine.Source
	Bucket string

	// Put makes an object of size bytes, all of them 'x', in one request.
	Put func(key string, size int)

	// Delete deletes the current version of an object, as a client that names no
	// version does.
	Delete func(key string)

	// SetVersioning enables versioning, or suspends it. nil: the source knows no
	// versions, and tests of them are skipped.
	SetVersioning func(enabled bool)

	// Refuses says that the store cannot have a key that OSS can; nil: it can
	// have all of them.
	Refuses func(key string) bool
}

// fill puts small objects.
func (f *Fixture) fill(keys ...string) {
	for _, key := range keys {
		f.Put(key, 1)
	}
}

// oddKeys are the odd keys that the store can have, ascending.
func (f *Fixture) oddKeys() []string {
	return slices.DeleteFunc(slices.Clone(membucket.OddKeys), func(key string) bool {
		return f.Refuses != nil && f.Refuses(key)
	})
}

func (f *Fixture) snapshot(t *testing.T) engine.Snapshot {
	t.Helper()
	snap, err := f.Source.Snapshot(t.Context(), f.Bucket)
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

// scan gathers copies of the records of a segment, and holds the scan to what is
// true of every one of them.
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

// ended is a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
