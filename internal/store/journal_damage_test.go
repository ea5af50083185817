package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// readKeys returns the keys of the changes of a range.
func readKeys(t *testing.T, s *store.Store, after, until stocktake.JournalPosition) (keys []string, gaps []journal.Gap, err error) {
	t.Helper()
	gaps, err = s.Journal().Changes(t.Context(), "b", "", after, until, func(batch []journal.Change) error {
		for i := range batch {
			keys = append(keys, string(batch[i].Record.Key))
		}
		return nil
	})
	return keys, gaps, err
}

// A missing entry is always reported, wherever in the range it was.
func TestMissingChanges(t *testing.T) {
	for _, n := range []int{0, 5, 9} {
		s := open(t, "data", quiet(vfs.NewMem()))
		bucket(t, s, object.Unversioned)
		at, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
		check(t, err)
		for i := range 10 {
			put(t, s, fmt.Sprint(i), "data")
		}
		_, problems := audit(t, s)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		store.DropChange(t, s, n)
		if _, _, err := readKeys(t, s, at, now); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("without change %d: %v", n, err)
		}
		put(t, s, "next", "data")
		if _, problems := audit(t, s); len(problems) != 1 || !strings.Contains(problems[0], "changes are missing") {
			t.Errorf("without change %d: %q", n, problems)
		}
	}
}

// A repair that cannot know which entries are missing reports this in its result, and
// as a gap to readers.
func TestRepairOfJournal(t *testing.T) {
	dir := t.TempDir()
	const n = 3000
	fill(t, dir, object.Unversioned, uniform(n))
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), dir, store.Options{Log: log})
	check(t, err)
	for _, name := range []string{"whole", "cut"} {
		check(t, s.CreateBucket(t.Context(), by, object.NewBucket(name, "1", time.Now()), false))
	}
	whole, err := s.Journal().Subscribe(t.Context(), "whole", "r", "")
	check(t, err)
	at, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
	check(t, err)
	for i := range 10 {
		put(t, s, fmt.Sprint(i), "data")
	}
	cut, err := s.Journal().Subscribe(t.Context(), "cut", "r", "")
	check(t, err)
	for i := range 3 {
		_, err := s.PutObject(t.Context(), by, object.Put{Bucket: "cut", Key: fmt.Sprint(i), Size: 4}, strings.NewReader("data"))
		check(t, err)
	}
	store.BreakChange(t, s, 11) // of 10 in the first bucket and 3 in this
	store.DropChange(t, s, 5)
	check(t, s.Close())
	damageLargestTable(t, dir)
	var told []string
	done, err := store.Repair(t.Context(), dir, log, func(p store.Problem) { told = append(told, p.String()) })
	check(t, err)
	if done.Damage == "" || !slices.ContainsFunc(told, func(p string) bool { return strings.HasPrefix(p, "journal of bucket b: it may lack changes") }) {
		t.Fatalf("%+v: %q", done, told)
	}
	if strings.Contains(strings.Join(told, "\n"), "journal of bucket whole") {
		t.Errorf("the other journal is whole: %q", told)
	}
	s = open(t, dir, store.Options{Log: log})
	if keys, gaps, err := readKeys(t, s, at, now); err != nil || len(gaps) != 1 || gaps[0].Changes != 1 || len(keys) != 9 {
		t.Fatalf("%q, %+v, %v", keys, gaps, err)
	}
	kept := 0
	gaps, err := s.Journal().Changes(t.Context(), "cut", "", cut, now, func(batch []journal.Change) error {
		kept += len(batch)
		return nil
	})
	if err != nil || len(gaps) != 1 || gaps[0].Changes != 1 || kept != 2 {
		t.Errorf("the journal with an entry that was cut off has %d changes, gaps %+v, %v", kept, gaps, err)
	}
	_, problems := audit(t, s)
	for _, p := range problems {
		if strings.Contains(p, "journal") {
			t.Errorf("after the repair: %s", p)
		}
	}
	again, err := s.Journal().Subscribe(t.Context(), "whole", "r", "")
	if err != nil || again != whole {
		t.Errorf("the other reader is at %+v, want %+v: %v", again, whole, err)
	}
	put(t, s, "later", "data")
	end, err := s.Journal().Cut(t.Context(), "b", time.Now().UnixMilli()+1)
	check(t, err)
	check(t, s.Journal().Published(t.Context(), "b", "r", end))
	put(t, s, "after the gap", "data")
	if keys, gaps, err := readKeys(t, s, end, now); err != nil || len(gaps) > 0 || !slices.Equal(keys, []string{"after the gap"}) {
		t.Errorf("%q, %+v, %v", keys, gaps, err)
	}
}
