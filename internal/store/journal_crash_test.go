package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// fullNow makes the table of a full report and returns the position it states.
func fullNow(t *testing.T, s *store.Store) (table, stocktake.JournalPosition) {
	t.Helper()
	sn, err := s.Source().Snapshot(t.Context(), "b")
	check(t, err)
	defer sn.Close()
	tab, err := full(t.Context(), sn, "")
	check(t, err)
	return tab, *sn.(engine.JournaledSnapshot).Journal()
}

// follow applies the changes of a range to a table.
func follow(t *testing.T, s *store.Store, tab *table, after, until stocktake.JournalPosition) error {
	gaps, err := s.Journal().Changes(t.Context(), "b", "", after, until, func(batch []journal.Change) error {
		for i := range batch {
			if err := tab.apply(&batch[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(gaps) > 0 {
		err = fmt.Errorf("gaps %+v", gaps)
	}
	return err
}

// TestJournalOfCrashUnderLoad crashes the machine while many clients write and a
// reader cuts windows. The changes that the reader has read before the crash, and those
// in the journal after it, make the report after the crash: no change is lost or
// repeated, and none that was read is undone.
func TestJournalOfCrashUnderLoad(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 2))
		s, disk := crashable(t, object.Versioning(round%3))
		_, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
		check(t, err)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := int64(1); !stop.Load(); i++ {
					if err := takeStep(t, s, fmt.Sprint("key", w/2), i); err != nil { // two writers for each key
						t.Error(err)
						return
					}
				}
			})
		}
		tab, at := fullNow(t, s) // while others write
		for range 1 + rng.IntN(20) {
			cut, err := s.Journal().Cut(t.Context(), "b", at.Time+1)
			check(t, err)
			if cut.Sequence < at.Sequence {
				continue // the report was made in the same millisecond
			}
			check(t, follow(t, s, &tab, at, cut))
			if at = cut; rng.IntN(2) == 0 {
				check(t, s.Journal().Published(t.Context(), "b", "r", at))
			}
		}
		crashed := disk.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
		stop.Store(true)
		wg.Wait()

		for _, s := range []*store.Store{s, open(t, "data", quiet(crashed))} {
			later := tab.clone()
			check(t, follow(t, s, &later, at, now))
			want, _ := fullNow(t, s)
			if diff := later.diff(want); diff != "" {
				t.Errorf("round %d (-want +got):\n%s", round, diff)
			}
			if _, problems := audit(t, s); len(problems) > 0 {
				t.Errorf("round %d: %q", round, problems)
			}
		}
	}
}

// TestReportsJoinWindows takes full reports while others write many keys. Each
// report, combined with the changes after its position, equals the final report.
func TestReportsJoinWindows(t *testing.T) {
	s := open(t, "data", quiet(vfs.NewMem()))
	bucket(t, s, object.Enabled)
	put(t, s, "source", stepData(1))
	_, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
	check(t, err)
	var wg sync.WaitGroup
	var stop atomic.Bool
	for w := range 6 {
		wg.Go(func() {
			for i := int64(1); !stop.Load(); i++ {
				if err := takeStep(t, s, fmt.Sprint("key", (int64(w)+i)%7), i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	type report struct {
		table table
		at    stocktake.JournalPosition
	}
	var reports []report
	for last := uint64(0); len(reports) < 20; {
		if tab, at := fullNow(t, s); at.Sequence > last+20 { // the writers have continued
			reports, last = append(reports, report{tab, at}), at.Sequence
		}
	}
	stop.Store(true)
	wg.Wait()
	want, _ := fullNow(t, s)
	for i, r := range reports {
		check(t, follow(t, s, &r.table, r.at, now))
		if diff := r.table.diff(want); diff != "" {
			t.Fatalf("report %d at %+v (-want +got):\n%s", i, r.at, diff)
		}
	}
}

// TestJournalSurvivesEachReadError lets each read of the index fail in turn while
// a window is cut, read and published. A failure changes nothing, and the next
// attempt reads the same.
func TestJournalSurvivesEachReadError(t *testing.T) {
	mem := vfs.NewMem()
	var armed, failed atomic.Bool
	var count, at atomic.Int64
	flaky := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsRead && strings.HasSuffix(op.Path, ".sst") && count.Add(1) == at.Load() {
			failed.Store(true)
			return errorfs.ErrInjected
		}
		return nil
	}))
	opts := quiet(flaky)
	opts.CacheBytes = 1 // every block is read again
	s := open(t, "data", opts)
	bucket(t, s, object.Enabled)
	position, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
	check(t, err)
	var want []string
	for i := range 200 {
		key := fmt.Sprint(i % 7)
		info := put(t, s, key, "data")
		want = append(want, key)
		if i%5 == 4 {
			_, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: key, ID: info.VersionID})
			check(t, err)
			want = append(want, key) // the delete, and the version that it reveals
			if i >= 7 {
				want = append(want, key)
			}
		}
	}
	check(t, s.Close())
	s = open(t, "data", opts) // which writes tables
	failures := 0
	for n := int64(1); ; n++ {
		at.Store(n)
		count.Store(0)
		failed.Store(false)
		armed.Store(true)
		cut, err := s.Journal().Cut(t.Context(), "b", position.Time)
		if err == nil {
			_, err = s.Journal().Stat(t.Context(), "b")
		}
		var keys []string
		if err == nil {
			keys, _, err = readKeys(t, s, position, now)
		}
		if err == nil {
			err = s.Journal().Published(t.Context(), "b", "r", cut)
		}
		armed.Store(false)
		if err != nil && !errors.Is(err, errorfs.ErrInjected) {
			t.Fatal(err)
		}
		if err == nil && !slices.Equal(keys, want) {
			t.Fatalf("read %d failed: %d changes, want %d", n, len(keys), len(want))
		}
		if err != nil {
			failures++
		}
		if !failed.Load() {
			break
		}
	}
	if failures < 3 {
		t.Errorf("only %d reads failed", failures)
	}
	if keys, _, err := readKeys(t, s, position, now); err != nil || !slices.Equal(keys, want) {
		t.Errorf("%d changes, want %d: %v", len(keys), len(want), err)
	}
}
