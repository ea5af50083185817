package sourcetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stocktake/stocktake"
)

// nullVersion is the version id of an object that was put before versioning was
// enabled, or while it was suspended.
const nullVersion = "null"

// A state has the properties of a version that determine its place among the others.
type state struct {
	key                  string
	latest, marker, null bool
	size                 int64
}

func states(records []stocktake.Record) (s []state) {
	for _, r := range records {
		one := state{string(r.Key), r.IsLatest, r.IsDeleteMarker, string(r.VersionID) == nullVersion, r.Size}
		if r.IsDeleteMarker {
			one.size = 0
		}
		s = append(s, one)
	}
	return s
}

// expect checks the versions of the bucket, and its current versions, which are
// derived from them.
func (s *subject) expect(t *testing.T, want []state) {
	t.Helper()
	snap := s.snapshot(t)
	all := scan(t, snap, wholeBucket, true)
	if got := states(all); !slices.Equal(got, want) {
		t.Errorf("versions\n%+v, want\n%+v", got, want)
	}
	ids := make(map[string]bool)
	for _, r := range all {
		if id := fmt.Sprintf("%q %s", r.Key, r.VersionID); len(r.VersionID) == 0 || ids[id] {
			t.Errorf("version id %s is empty, or comes twice", id)
		} else {
			ids[id] = true
		}
		if r.LastModified == 0 {
			t.Errorf("%q %s has no time", r.Key, r.VersionID)
		}
	}
	current := slices.DeleteFunc(slices.Clone(want), func(s state) bool { return !s.latest || s.marker })
	if !s.can.CurrentIDs {
		for i := range current {
			current[i].null = false
		}
	}
	if got := states(scan(t, snap, wholeBucket, false)); !slices.Equal(got, current) {
		t.Errorf("current versions\n%+v, want\n%+v", got, current)
	}
}

func versions(t *testing.T, s *subject) {
	between := "a/b"
	if s.can.Refuses != nil && s.can.Refuses(between) {
		between = "a b"
	}
	s.SetVersioning(true)
	for i := range 3 {
		s.putSize("a", i)
		s.putSize(between, i) // would sort between versions of a if the order were that of text
	}
	s.Delete("a")
	s.putSize("a", 9)
	if s.can.IgnoresMissing {
		id := s.put("b")
		s.Delete("b")
		s.DeleteVersion("b", id)
	} else {
		s.Delete("b") // never existed
	}
	s.putSize("c", 1)
	s.Delete("c")
	again := []state{{"c", true, true, false, 0}, {"c", false, true, false, 0}}
	if s.can.IgnoresDeleted {
		again = again[:1]
	} else {
		s.Delete("c")
	}
	want := []state{
		{"a", true, false, false, 9},
		{"a", false, true, false, 0},
		{"a", false, false, false, 2},
		{"a", false, false, false, 1},
		{"a", false, false, false, 0},
		{between, true, false, false, 2},
		{between, false, false, false, 1},
		{between, false, false, false, 0},
		{"b", true, true, false, 0},
	}
	s.expect(t, append(append(want, again...), state{"c", false, false, false, 1}))
}

func nullVersions(t *testing.T, s *subject) {
	s.fill("a", "b", "c", "d")
	s.SetVersioning(true)
	s.putSize("b", 2)
	s.putSize("c", 2)
	s.putSize("e", 2)
	s.SetVersioning(false)
	s.putSize("c", 3) // replaces the null version
	s.putSize("e", 3)
	s.putSize("e", 4)
	s.Delete("d") // a null marker replaces the null version
	s.putSize("f", 3)
	s.SetVersioning(true)
	s.putSize("f", 5)
	s.expect(t, []state{
		{"a", true, false, true, 1},
		{"b", true, false, false, 2},
		{"b", false, false, true, 1},
		{"c", true, false, true, 3},
		{"c", false, false, false, 2},
		{"d", true, true, true, 0},
		{"e", true, false, true, 4},
		{"e", false, false, false, 2},
		{"f", true, false, false, 5},
		{"f", false, false, true, 3},
	})
}

// deletedVersions: when the latest version is deleted permanently, the next one
// becomes the latest, whether it is an object or a delete marker.
func deletedVersions(t *testing.T, s *subject) {
	s.SetVersioning(true)
	s.putSize("a", 1)
	s.DeleteVersion("a", s.putSize("a", 2))

	s.putSize("b", 1)
	s.DeleteVersion("b", s.Delete("b"))

	s.putSize("c", 1)
	s.Delete("c")
	s.DeleteVersion("c", s.putSize("c", 3))

	s.putSize("d", 1)
	middle := s.putSize("d", 2)
	s.putSize("d", 3)
	s.DeleteVersion("d", middle)

	s.DeleteVersion("e", s.putSize("e", 1))
	s.expect(t, []state{
		{"a", true, false, false, 1},
		{"b", true, false, false, 1},
		{"c", true, true, false, 0},
		{"c", false, false, false, 1},
		{"d", true, false, false, 3},
		{"d", false, false, false, 1},
	})
}

// manyVersions puts a key with more versions than the source fetches at once between
// two keys with one version.
func manyVersions(t *testing.T, s *subject) {
	s.SetVersioning(true)
	s.put("a")
	n := s.can.Batch + 3
	var want []state
	for i := range n {
		s.putSize("b", i%10)
		want = append(want, state{"b", i == n-1, false, false, int64(i % 10)})
	}
	s.put("c")
	want = append(want, state{"a", true, false, false, 1})
	slices.Reverse(want)
	s.expect(t, append(want, state{"c", true, false, false, 1}))
}

// manyMarkers puts so many delete markers between two objects that a page has nothing
// else.
func manyMarkers(t *testing.T, s *subject) {
	s.SetVersioning(true)
	s.put("a")
	want := []state{{"a", true, false, false, 1}}
	for i := range s.can.Batch + 3 {
		key := fmt.Sprintf("m%06d", i)
		if s.can.IgnoresMissing {
			s.put(key)
		}
		s.Delete(key)
		want = append(want, state{key, true, true, false, 0})
		if s.can.IgnoresMissing {
			want = append(want, state{key, false, false, false, 1})
		}
	}
	s.put("z")
	s.expect(t, append(want, state{"z", true, false, false, 1}))
}
