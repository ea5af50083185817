package sourcetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// bounds are keys to begin and to end a segment at, whether or not the bucket
// has them. The last is not valid UTF-8: ranges are cut between bytes.
var bounds = []string{"", "!", "a", "a\x00", "a/", "a/b", "a/b0", "b", "猫", "｡", "😀", "\U0010ffff", "a/\xff"}

func segments(t *testing.T, s *subject) {
	keys := s.hostileKeys()
	s.fill(keys...)
	snap := s.snapshot(t)
	for _, prefix := range []string{"", "a", "a/", "a/b", "b", "😀", "none"} {
		for _, from := range bounds {
			for _, to := range bounds {
				seg := engine.Segment{Prefix: prefix, From: from, To: to}
				want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !within(seg, key) })
				if got := keysOf(scan(t, snap, seg, false)); !slices.Equal(got, want) {
					t.Errorf("%+v: keys %q, want %q", seg, got, want)
				}
			}
		}
	}
}

func splits(t *testing.T, s *subject) {
	keys := s.hostileKeys()
	s.fill(keys...)
	if s.can.Versions { // no cut may part versions of a key
		s.SetVersioning(true)
		s.fill(keys...)
	}
	snap := s.snapshot(t)
	whole := scan(t, snap, wholeBucket, true)
	for _, prefix := range []string{"", "a", "a/", "none"} {
		want := keysOf(slices.DeleteFunc(slices.Clone(whole), func(r stocktake.Record) bool {
			return !within(engine.Segment{Prefix: prefix}, string(r.Key))
		}))
		for _, n := range []int{1, 2, 3, 8, 1000} {
			cuts, err := snap.Split(t.Context(), prefix, n)
			if err != nil {
				t.Fatalf("Split %q, %d: %v", prefix, n, err)
			}
			if len(cuts) > n-1 {
				t.Errorf("Split %q, %d returns %d cuts", prefix, n, len(cuts))
			}
			var got []string
			from := ""
			for _, cut := range append(cuts, "") {
				if cut != "" && (cut <= from || cut <= prefix) {
					t.Errorf("Split %q, %d: cut %q after %q", prefix, n, cut, from)
				}
				got = append(got, keysOf(scan(t, snap, engine.Segment{Prefix: prefix, From: from, To: cut}, true))...)
				from = cut
			}
			if !slices.Equal(got, want) {
				t.Errorf("Split %q, %d: the segments between %q have\n%q, want\n%q", prefix, n, cuts, got, want)
			}
		}
	}
}

func resumedKeys(t *testing.T, s *subject) {
	keys := s.hostileKeys()
	s.fill(keys...)
	snap := s.snapshot(t)
	for i, key := range keys {
		for _, versions := range []bool{false, true} {
			seg := engine.Cursor{Key: key}.Rest(wholeBucket)
			if got := keysOf(scan(t, snap, seg, versions)); !slices.Equal(got, keys[i+1:]) {
				t.Errorf("behind %q: keys %q, want %q", key, got, keys[i+1:])
			}
		}
	}
}

// versioned fills the bucket with keys of one and of several versions, delete
// markers and null versions among them.
func (s *subject) versioned() {
	s.fill(s.holds([]string{"a", "b\x00", "b", "d/e", "猫"})...)
	s.SetVersioning(true)
	for i := range 3 {
		s.putSize("b", i)
		s.putSize("d/e", i)
		s.Delete("d/e")
		s.putSize("猫", i)
	}
	s.SetVersioning(false)
	s.putSize("d/e", 5) // the null version is among the others
	s.put("z")
	s.SetVersioning(true)
	s.putSize("d/e", 6)
	s.Delete("a")
}

func resumedVersions(t *testing.T, s *subject) {
	s.versioned()
	snap := s.snapshot(t)
	for _, whole := range []engine.Segment{wholeBucket, {Prefix: "d/", From: "d/e", To: "d/f"}, {From: "b", To: "e"}} {
		all := scan(t, snap, whole, true)
		if len(all) < 3 {
			t.Fatalf("%d records in %+v", len(all), whole)
		}
		for i, r := range all {
			seg := engine.Cursor{Key: string(r.Key), Version: string(r.VersionID)}.Rest(whole)
			if got := scan(t, snap, seg, true); !slices.EqualFunc(got, all[i+1:], same) {
				t.Errorf("behind %q %s: records\n%+v, want\n%+v", r.Key, r.VersionID, states(got), states(all[i+1:]))
			}
		}
	}
}

// resumedGone: a scan that is resumed behind a version deleted meanwhile either
// yields the older versions or says that it cannot; it never skips or repeats.
func resumedGone(t *testing.T, s *subject) {
	s.versioned()
	all := scan(t, s.snapshot(t), wholeBucket, true)
	for i, r := range all {
		if s.can.Versions && i%2 == 0 {
			s.DeleteVersion(string(r.Key), string(r.VersionID))
		}
	}
	snap := s.snapshot(t)
	left := scan(t, snap, wholeBucket, true)
	for i, r := range all {
		if i%2 != 0 {
			continue
		}
		want := left[(i+1)/2:]
		var got []stocktake.Record
		err := snap.Scan(t.Context(), engine.Cursor{Key: string(r.Key), Version: string(r.VersionID)}.Rest(wholeBucket), true,
			func(batch []stocktake.Record) error {
				for _, r := range batch {
					got = append(got, clone(r))
				}
				return nil
			})
		if errors.Is(err, engine.ErrCursorGone) && len(got) == 0 {
			continue
		}
		if err != nil || !slices.EqualFunc(got, want, same) {
			t.Errorf("behind %q %s, which is gone: %v, records\n%+v, want\n%+v", r.Key, r.VersionID, err, states(got), states(want))
		}
	}
}

func manyKeys(t *testing.T, s *subject) {
	var want []string
	for i := range 2*s.can.Batch + 3 {
		want = append(want, fmt.Sprintf("d%02d/%06d", i%7, i))
	}
	slices.Sort(want)
	s.fill(want...)
	snap := s.snapshot(t)
	for _, versions := range []bool{false, true} {
		for _, seg := range []engine.Segment{{}, {Prefix: "d03/"}, {From: want[1], To: want[len(want)-1]}} {
			in := slices.DeleteFunc(slices.Clone(want), func(key string) bool { return !within(seg, key) })
			if got := keysOf(scan(t, snap, seg, versions)); !slices.Equal(got, in) {
				t.Errorf("%+v, versions %v: %d keys, want %d", seg, versions, len(got), len(in))
			}
		}
	}
}
