package sourcetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// Run tests a source. open returns a new, empty bucket for each test.
func Run(t *testing.T, open func(t *testing.T) Bucket) {
	for _, tt := range []struct {
		name     string
		versions bool // needs Abilities.Versions
		test     func(*testing.T, *subject)
	}{
		{"no such bucket", false, noSuchBucket},
		{"an empty bucket", false, emptyBucket},
		{"ascending by key bytes", false, byteOrder},
		{"counts", false, counts},

		{"fields", false, fields},
		{"details", false, details},
		{"storage classes", false, storageClasses},
		{"object types", false, objectTypes},
		{"ACLs", false, acls},
		{"tags", false, tags},
		{"encryption", false, encryption},
		{"CRC-64", false, checksums},
		{"times", false, times},
		{"fields of every version", true, fieldsOfVersions},

		{"versions", true, versions},
		{"null versions", true, nullVersions},
		{"versions deleted for good", true, deletedVersions},

		{"segments", false, segments},
		{"splits", false, splits},
		{"resumed behind each key", false, resumedKeys},
		{"resumed behind each version", true, resumedVersions},
		{"resumed behind a version that is gone", true, resumedGone},

		{"more keys than a batch has", false, manyKeys},
		{"more versions of a key than a batch has", true, manyVersions},
		{"more delete markers than a batch has", true, manyMarkers},

		{"an error of yield ends the scan", false, yieldError},
		{"ctx ends the scan", false, contextEnds},
		{"pages are those of a scan", false, pages},
		{"a snapshot does not change", false, isolation},
		{"what stays is seen once while the rest changes", false, window},
		{"many scans at once", false, concurrency},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t)
			s := &subject{b, b.Can()}
			if tt.versions && !s.can.Versions {
				t.Skip("the store has no versions")
			}
			tt.test(t, s)
		})
	}
}

func noSuchBucket(t *testing.T, s *subject) {
	if _, err := s.Source().Snapshot(t.Context(), s.Name()+"-not"); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("error %v, want %v", err, stocktake.ErrNoSuchBucket)
	}
}

func emptyBucket(t *testing.T, s *subject) {
	snap := s.snapshot(t)
	for _, versions := range []bool{false, true} {
		if got := scan(t, snap, wholeBucket, versions); len(got) > 0 {
			t.Errorf("%d records", len(got))
		}
	}
	if age := time.Since(snap.Time()); age < -time.Hour || age > time.Hour {
		t.Errorf("the snapshot is of %v", snap.Time())
	}
	if c := snap.Consistency(); c != stocktake.ConsistencySnapshot && c != stocktake.ConsistencyWindow {
		t.Errorf("consistency %q", c)
	}
	if n, err := snap.Count(t.Context(), ""); err != nil || n > 0 {
		t.Errorf("Count: %d, %v", n, err)
	}
	if cuts, err := snap.Split(t.Context(), "", 8); err != nil || len(cuts) > 7 {
		t.Errorf("Split: %q, %v", cuts, err)
	}
}

func byteOrder(t *testing.T, s *subject) {
	want := append(s.hostileKeys(), s.holds(longKeys(40))...)
	slices.Sort(want)
	for _, key := range slices.Backward(want) {
		s.put(key)
	}
	snap := s.snapshot(t)
	for _, versions := range []bool{false, true} {
		if got := keysOf(scan(t, snap, wholeBucket, versions)); !slices.Equal(got, want) {
			t.Errorf("versions %v: keys\n%q, want\n%q", versions, got, want)
		}
	}
}

func counts(t *testing.T, s *subject) {
	s.fill("a/1", "a/2", "b/1")
	snap := s.snapshot(t)
	for _, prefix := range []string{"", "a/", "none"} {
		if n, err := snap.Count(t.Context(), prefix); err != nil || n < -1 {
			t.Errorf("Count %q: %d, %v", prefix, n, err)
		}
	}
}
