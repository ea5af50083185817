package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

func yieldError(t *testing.T, s *subject) {
	s.fill("a", "b", "c")
	enough := errors.New("enough")
	calls := 0
	err := s.snapshot(t).Scan(t.Context(), wholeBucket, false, func([]stocktake.Record) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("error %v after %d calls, want %v after 1", err, calls, enough)
	}
}

// pages checks that Pages returns the rows of Scan, and says of each page except the
// last that more follow.
func pages(t *testing.T, s *subject) {
	snap, ok := s.snapshot(t).(engine.PagedSnapshot)
	if !ok {
		t.Skip("the source is not listed page by page")
	}
	if snap.Requests() < 1 {
		t.Errorf("%d requests at once", snap.Requests())
	}
	s.fill("a", "b", "c", "d", "e", "f")
	snap = s.snapshot(t).(engine.PagedSnapshot)
	for _, seg := range []engine.Segment{{}, {From: "b", To: "e"}, {From: "bb", To: "bc"}, {Prefix: "f"}, {From: "g"}} {
		want := scan(t, snap, seg, false)
		n := 0
		ended := false
		err := snap.Pages(t.Context(), seg, false, func(batch []stocktake.Record, more bool) error {
			if len(batch) == 0 || ended {
				t.Errorf("%+v: a page of %d rows after %d, ended %v", seg, len(batch), n, ended)
			}
			for _, r := range batch {
				if n >= len(want) || !bytes.Equal(r.Key, want[n].Key) {
					t.Fatalf("%+v: row %d is %q", seg, n, r.Key)
				}
				n++
			}
			ended = !more
			return nil
		})
		if err != nil || n != len(want) || n > 0 && !ended {
			t.Errorf("%+v: %d of %d rows, ended %v, %v", seg, n, len(want), ended, err)
		}
	}
}

func contextEnds(t *testing.T, s *subject) {
	const n = 60
	for i := range n {
		s.put(fmt.Sprintf("k%02d", i))
	}
	if _, err := s.Source().Snapshot(ended(t), s.Name()); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Snapshot: %v", err)
	}
	snap := s.snapshot(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, later := 0, 0
	err := snap.Scan(ctx, wholeBucket, false, func(batch []stocktake.Record) error {
		if ctx.Err() != nil {
			later++
		}
		seen += len(batch)
		cancel()
		return nil
	})
	if later > 1 || !errors.Is(err, context.Canceled) && seen < n {
		t.Errorf("%d more batches, error %v, %d of %d records", later, err, seen, n)
	}
	if err := snap.Scan(ended(t), wholeBucket, false, func([]stocktake.Record) error {
		later++
		return nil
	}); later > 2 || later == 0 && !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: error %v", err)
	}
}

// isolation: a snapshot shows one state, regardless of writes before, during and
// after its scans.
func isolation(t *testing.T, s *subject) {
	s.fill("a", "b", "c", "d")
	if s.can.Versions {
		s.SetVersioning(true)
		s.fill("a", "b")
	}
	snap := s.snapshot(t)
	if snap.Consistency() != stocktake.ConsistencySnapshot {
		t.Skip("the source has no snapshots")
	}
	before := [2][]stocktake.Record{scan(t, snap, wholeBucket, false), scan(t, snap, wholeBucket, true)}
	changes := []func(){
		func() { s.putSize("b", 77) },
		func() { s.put("aa") },
		func() { s.Delete("c") },
		func() { s.Delete("a") },
		func() { s.put("z") },
	}
	for _, change := range changes {
		for i, versions := range []bool{false, true} {
			var got []stocktake.Record
			err := snap.Scan(t.Context(), wholeBucket, versions, func(batch []stocktake.Record) error {
				if change != nil { // amid the scan
					change()
					change = nil
				}
				for _, r := range batch {
					got = append(got, clone(r))
				}
				return nil
			})
			if err != nil || !slices.EqualFunc(got, before[i], same) {
				t.Errorf("versions %v: %v, records\n%v, want\n%v", versions, err, got, before[i])
			}
		}
	}
	if got := keysOf(scan(t, s.snapshot(t), wholeBucket, false)); !slices.Equal(got, []string{"aa", "b", "d", "z"}) {
		t.Errorf("a new snapshot has %q", got)
	}
}

// window: while objects are created and deleted, a scan yields each object that stays
// exactly once, in order, and no object that never existed.
func window(t *testing.T, s *subject) {
	if s.can.Versions {
		s.SetVersioning(true)
	}
	var stay []string
	for i := range s.can.Batch + 10 {
		key := fmt.Sprintf("k%06d", i)
		s.put(key)
		if i%2 == 0 {
			stay = append(stay, key)
		}
	}
	snap := s.snapshot(t)
	for _, versions := range []bool{true, false} {
		var got []string
		last, calls := "", 0
		err := snap.Scan(t.Context(), wholeBucket, versions, func(batch []stocktake.Record) error {
			for _, r := range batch {
				key := string(r.Key)
				if key < last || !strings.HasPrefix(key, "k") {
					t.Errorf("key %q after %q", key, last)
				}
				last = key
				if slices.Contains(stay, key) && r.IsLatest && !r.IsDeleteMarker {
					got = append(got, key)
				}
			}
			calls++
			if i := 2*calls + 1; calls < 5 { // before and behind the place where the scan is
				s.Delete(fmt.Sprintf("k%06d", i))
				s.Delete(fmt.Sprintf("k%06d", s.can.Batch+10-i|1))
				s.put(fmt.Sprintf("k%06d-new", i))
				s.put(fmt.Sprintf("k%06d-new", s.can.Batch+9))
			}
			return nil
		})
		if err != nil || !slices.Equal(got, stay) {
			t.Errorf("versions %v: %v, %d of %d objects that stay: %q", versions, err, len(got), len(stay), got)
		}
	}
}

func same(a, b stocktake.Record) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.VersionID, b.VersionID) && a.ETag.String() == b.ETag.String() &&
		a.Size == b.Size && a.LastModified == b.LastModified && a.IsLatest == b.IsLatest && a.IsDeleteMarker == b.IsDeleteMarker
}

func concurrency(t *testing.T, s *subject) {
	keys := s.hostileKeys()
	s.fill(keys...)
	snap := s.snapshot(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			seg := engine.Segment{From: keys[i], To: keys[len(keys)-1-i]}
			var got []string
			err := snap.Scan(t.Context(), seg, i%2 == 0, func(batch []stocktake.Record) error {
				got = append(got, keysOf(batch)...)
				return nil
			})
			if want := keys[i : len(keys)-1-i]; err != nil || !slices.Equal(got, want) {
				t.Errorf("%+v: keys %q, %v, want %q", seg, got, err, want)
			}
			if _, err := snap.Split(t.Context(), "", 4); err != nil {
				t.Errorf("Split: %v", err)
			}
		})
	}
	group.Wait()
}
