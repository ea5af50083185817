package store_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// A gate is a clock that blocks its next caller.
type gate struct {
	armed           atomic.Bool
	entered, opened chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan struct{}), opened: make(chan struct{})} }

func (g *gate) now() time.Time {
	// The store calls it with the queue of the journal held, and before.
	if g.armed.Load() && inCommit() && g.armed.CompareAndSwap(true, false) {
		close(g.entered)
		<-g.opened
	}
	return time.Now()
}

// inCommit reports whether the caller of the clock commits changes of a journal.
func inCommit() bool {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "(*bucketJournal).commit") {
			return true
		}
		if !more {
			return false
		}
	}
}

// apart returns n keys that have different locks.
func apart(t *testing.T, s *store.Store, n int) (keys []string) {
	t.Helper()
	taken := map[any]bool{}
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("key", i)
		if stripe := store.Stripe(t, s, "b", key); !taken[stripe] {
			taken[stripe] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// queueUp puts one object whose commit is blocked, and then others, each with a body
// of some size. It returns their errors once all have ended.
func queueUp(t *testing.T, s *store.Store, g *gate, keys []string, size int, meanwhile func()) []error {
	t.Helper()
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	start := func(i int) {
		wg.Go(func() {
			p := object.Put{Bucket: "b", Key: keys[i], Size: int64(size)}
			_, errs[i] = s.PutObject(t.Context(), by, p, strings.NewReader(strings.Repeat("x", size)))
		})
	}
	g.armed.Store(true)
	start(0)
	<-g.entered
	for i := range keys[1:] {
		start(1 + i)
		for store.Waiting(t, s, "b") != 1+i {
			runtime.Gosched()
		}
	}
	meanwhile()
	close(g.opened)
	wg.Wait()
	return errs
}

// TestWaitingChangesAreCommittedTogether: changes that wait behind another are one
// commit, so nothing comes between their sequences. Large ones are several.
func TestWaitingChangesAreCommittedTogether(t *testing.T) {
	for _, tt := range []struct{ size, others, together int }{{10, 20, 20}, {60 << 10, 20, 4}} {
		g := newGate()
		opts := quiet(vfs.NewMem())
		opts.Now, opts.InlineBytes = g.now, 64<<10
		s := open(t, "data", opts)
		bucket(t, s, object.Unversioned)
		at, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
		check(t, err)
		names := apart(t, s, 1+tt.others)
		if err := errors.Join(queueUp(t, s, g, names, tt.size, func() {})...); err != nil {
			t.Fatal(err)
		}
		var keys []string
		var seqs []uint64
		_, err = s.Journal().Changes(t.Context(), "b", "", at, now, func(batch []journal.Change) error {
			for i := range batch {
				keys, seqs = append(keys, string(batch[i].Record.Key)), append(seqs, batch[i].Sequence)
			}
			return nil
		})
		check(t, err)
		if want := 1 + tt.others; len(keys) != want || !slices.IsSorted(seqs) {
			t.Fatalf("%d changes of %d, with sequences %d", len(keys), want, seqs)
		}
		for i, key := range keys { // in the order in which they have queued up
			if key != names[i] {
				t.Errorf("change %d is that of %s", i, key)
			}
		}
		if first := seqs[1]; seqs[tt.together] != first+uint64(tt.together)-1 {
			t.Errorf("%d changes of %d bytes have the sequences %d", tt.others, tt.size, seqs)
		}
		if _, problems := audit(t, s); len(problems) > 0 {
			t.Error(problems)
		}
	}
}

// TestLogFailureFailsAllThatWait: if the log of the index cannot be written, or not
// be synced, each change committed in it returns an error that says that it is
// uncertain, and none hangs. Changes acknowledged before exist after a restart, with
// their entries.
func TestLogFailureFailsAllThatWait(t *testing.T) {
	for _, tt := range []struct {
		ops []errorfs.OpKind
		err error
	}{
		{[]errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}, syscall.EIO},
		{[]errorfs.OpKind{errorfs.OpFileWrite}, syscall.ENOSPC},
	} {
		var broken atomic.Bool
		mem := vfs.NewCrashableMem()
		disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if broken.Load() && strings.HasSuffix(op.Path, ".log") && slices.Contains(tt.ops, op.Kind) {
				return tt.err
			}
			return nil
		}))
		g := newGate()
		opts := quiet(disk)
		opts.Now = g.now
		var died atomic.Bool
		store.OnFatal(&opts, func(error) { died.Store(true) })
		s, err := store.Open(t.Context(), "data", opts)
		check(t, err)
		bucket(t, s, object.Enabled)
		_, err = s.Journal().Subscribe(t.Context(), "b", "r", "")
		check(t, err)
		tab, at := fullNow(t, s)
		put(t, s, "before", "data")
		for i, err := range queueUp(t, s, g, apart(t, s, 9), 10, func() { broken.Store(true) }) {
			if !errors.Is(err, tt.err) {
				t.Errorf("%v: change %d: %v", tt.err, i, err)
			}
		}
		if !died.Load() {
			t.Errorf("%v: the process lives on", tt.err)
		}
		restarted := open(t, "data", quiet(mem.CrashClone(vfs.CrashCloneCfg{})))
		check(t, follow(t, restarted, &tab, at, now))
		want, _ := fullNow(t, restarted)
		if diff := tab.diff(want); diff != "" || len(want.current) != 1 {
			t.Errorf("%v: after a restart there are %d objects; (-want +got):\n%s", tt.err, len(want.current), diff)
		}
		if _, problems := audit(t, restarted); len(problems) > 0 {
			t.Errorf("%v: %q", tt.err, problems)
		}
		if err := s.Close(); !errors.Is(err, tt.err) {
			t.Errorf("%v: close: %v", tt.err, err)
		}
	}
}

// A fullDisk reports that it is full, once it is told to.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

func (d *fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	u := vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 2 << 30}
	if d.full.Load() {
		u.AvailBytes = 0
	}
	return u, nil
}

// TestJournalOnFullDisk: on a full disk nothing that needs room changes the journal,
// and all that makes room works: deletes, which are journalled, and windows.
func TestJournalOnFullDisk(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	s := open(t, "data", quiet(disk))
	bucket(t, s, object.Unversioned)
	put(t, s, "old", "data")
	first, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
	check(t, err)
	tab, at := fullNow(t, s)
	put(t, s, "a", "data")
	put(t, s, "b", "data")
	disk.full.Store(true)
	if _, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: "c", Size: 1}, strings.NewReader("c")); !errors.Is(err, object.ErrDiskFull) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Journal().Subscribe(t.Context(), "b", "another", ""); !errors.Is(err, object.ErrDiskFull) {
		t.Errorf("subscribe: %v", err)
	}
	if again, err := s.Journal().Subscribe(t.Context(), "b", "r", ""); err != nil || again != first {
		t.Errorf("subscribe again: %+v, %v; want %+v", again, err, first)
	}
	_, err = s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: "a"})
	check(t, err)
	cut, err := s.Journal().Cut(t.Context(), "b", time.Now().UnixMilli()+1)
	check(t, err)
	keys, gaps, err := readKeys(t, s, at, cut)
	if err != nil || len(gaps) > 0 || !slices.Equal(keys, []string{"a", "b", "a"}) {
		t.Errorf("%q, %+v, %v", keys, gaps, err)
	}
	check(t, follow(t, s, &tab, at, cut))
	check(t, s.Journal().Published(t.Context(), "b", "r", cut))
	if stat, err := s.Journal().Stat(t.Context(), "b"); err != nil || stat.Changes != 0 {
		t.Errorf("published: %+v, %v", stat, err)
	}
	disk.full.Store(false)
	put(t, s, "d", "data")
	check(t, follow(t, s, &tab, cut, now))
	want, _ := fullNow(t, s)
	if diff := tab.diff(want); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, problems := audit(t, s); len(problems) > 0 {
		t.Error(problems)
	}
}
