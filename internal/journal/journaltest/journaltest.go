// Package journaltest is the contract of [journal.Journal] as a test suite.
package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
)

// A Store is a store whose bucket "b" is versioned and empty. Its methods fail the test on errors.
type Store interface {
	Journal() journal.Journal

	Put(key string) (version string)
	Tag(key, version string) // changes metadata
	Delete(key string)       // adds a delete marker
	Remove(key, version string)

	DeleteBucket()
	Advance(d time.Duration) // moves the clock, also back
	Now() int64              // the clock in Unix milliseconds
	Restart()                // opens the store again, as after a crash
}

// end is after all changes.
var end = stocktake.JournalPosition{Sequence: math.MaxUint64, Time: math.MaxInt64}

// Run tests the contract. open returns a store whose journal is bounded to bound bytes; 0: no
// bound.
func Run(t *testing.T, open func(t *testing.T, bound int64) Store) {
	for name, test := range map[string]func(*testing.T, *suite){
		"what a reader gets":         testReader,
		"types of changes":           testTypes,
		"prefixes":                   testPrefixes,
		"cuts":                       testCuts,
		"a clock that steps back":    testClock,
		"trimming":                   testTrimming,
		"restarts":                   testRestarts,
		"batches":                    testBatches,
		"ends of a reading":          testEnds,
		"unknown names":              testUnknown,
		"a bucket that is gone":      testBucketGone,
		"readers that come and go":   testReaders,
		"positions of other readers": testLaterReader,
	} {
		t.Run(name, func(t *testing.T) { test(t, newSuite(t, open(t, 0))) })
	}
	t.Run("the bound", func(t *testing.T) { testBound(t, newSuite(t, open(t, 4000))) })
	t.Run("gaps of two readers", func(t *testing.T) { testGapsOfReaders(t, newSuite(t, open(t, 4000))) })
}

type suite struct {
	t *testing.T
	Store
}

func newSuite(t *testing.T, s Store) *suite { return &suite{t, s} }

func (s *suite) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *suite) subscribe(id, prefix string) stocktake.JournalPosition {
	s.t.Helper()
	at, err := s.Journal().Subscribe(s.t.Context(), "b", id, prefix)
	s.check(err)
	return at
}

// cut cuts at the clock's time, after moving it one millisecond.
func (s *suite) cut() stocktake.JournalPosition {
	s.t.Helper()
	s.Advance(time.Millisecond)
	return s.cutAt(s.Now())
}

func (s *suite) cutAt(at int64) stocktake.JournalPosition {
	s.t.Helper()
	p, err := s.Journal().Cut(s.t.Context(), "b", at)
	s.check(err)
	if p.Time != at {
		s.t.Errorf("a cut at %d has time %d", at, p.Time)
	}
	return p
}

// read returns the changes of a range, as text, and the gaps.
func (s *suite) read(prefix string, after, until stocktake.JournalPosition) (list []string, gaps []journal.Gap) {
	s.t.Helper()
	changes, gaps := s.changes(prefix, after, until)
	for _, c := range changes {
		list = append(list, c.Type.String()+" "+string(c.Record.Key))
	}
	return list, gaps
}

// changes returns copies of the changes of a range, and the gaps.
func (s *suite) changes(prefix string, after, until stocktake.JournalPosition) (list []journal.Change, gaps []journal.Gap) {
	s.t.Helper()
	gaps, err := s.Journal().Changes(s.t.Context(), "b", prefix, after, until, func(batch []journal.Change) error {
		if len(batch) == 0 {
			s.t.Error("an empty batch")
		}
		for _, c := range batch {
			for _, field := range []*[]byte{&c.Requester, &c.RequestID, &c.SourceIP, &c.Record.Key, &c.Record.VersionID, &c.Record.ETag.Text} {
				*field = bytes.Clone(*field)
			}
			list = append(list, c)
		}
		return nil
	})
	s.check(err)
	for i := range list {
		if i > 0 && (list[i].Sequence <= list[i-1].Sequence || list[i].Time < list[i-1].Time) {
			s.t.Errorf("%+v after %+v", list[i], list[i-1])
		}
		if list[i].Sequence <= after.Sequence || list[i].Sequence > until.Sequence || list[i].Time < after.Time {
			s.t.Errorf("%+v is not in the range from %+v to %+v", list[i], after, until)
		}
	}
	return list, gaps
}

// want reads a range, which must have these changes and no gaps.
func (s *suite) want(prefix string, after, until stocktake.JournalPosition, want ...string) {
	s.t.Helper()
	got, gaps := s.read(prefix, after, until)
	if !slices.Equal(got, want) || len(gaps) > 0 {
		s.t.Errorf("from %+v to %+v: %q and gaps %+v, want %q", after, until, got, gaps, want)
	}
}

func (s *suite) publish(id string, until stocktake.JournalPosition) {
	s.t.Helper()
	s.check(s.Journal().Published(s.t.Context(), "b", id, until))
}

func (s *suite) stat() journal.Stat {
	s.t.Helper()
	stat, err := s.Journal().Stat(s.t.Context(), "b")
	s.check(err)
	return stat
}

// fails calls do and expects an error of a kind.
func (s *suite) fails(what string, want, err error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func keys(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("k%03d", i))
	}
	return list
}

func created(keys []string) (list []string) {
	for _, k := range keys {
		list = append(list, "CREATE "+k)
	}
	return list
}

func (s *suite) putAll(keys []string) {
	for _, k := range keys {
		s.Put(k)
	}
}

// nothing is a yield for readings that must not yield.
func (s *suite) nothing([]journal.Change) error {
	s.t.Error("a change was yielded")
	return nil
}

var background = context.Background()
