package store_test

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/journal/journaltest"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// journalStore is a store for the suite, on a disk that forgets what is not
// synced.
type journalStore struct {
	t     *testing.T
	fs    *vfs.MemFS
	s     *store.Store
	clock time.Time
	bound int64
}

func (j *journalStore) open() {
	opts := quiet(j.fs)
	opts.JournalBytes, opts.Now = j.bound, func() time.Time { return j.clock }
	j.s = open(j.t, "data", opts)
}

func TestJournal(t *testing.T) {
	journaltest.Run(t, func(t *testing.T, bound int64) journaltest.Store {
		j := &journalStore{t: t, fs: vfs.NewCrashableMem(), clock: time.UnixMilli(1767628800000), bound: bound}
		j.open()
		bucket(t, j.s, object.Enabled)
		return j
	})
}

func (j *journalStore) Journal() journal.Journal { return j.s.Journal() }
func (j *journalStore) Put(key string) string    { return put(j.t, j.s, key, "data").VersionID }
func (j *journalStore) Advance(d time.Duration)  { j.clock = j.clock.Add(d) }
func (j *journalStore) Now() int64               { return j.clock.UnixMilli() }

func (j *journalStore) Tag(key, version string) {
	_, err := j.s.UpdateObject(j.t.Context(), by, object.Version{Bucket: "b", Key: key, ID: version}, func(o *object.Info) error {
		o.Tags = []object.Tag{{Key: "k", Value: "v"}}
		return nil
	})
	check(j.t, err)
}

func (j *journalStore) Delete(key string) { j.Remove(key, "") }

func (j *journalStore) Remove(key, version string) {
	_, err := j.s.Delete(j.t.Context(), by, object.Version{Bucket: "b", Key: key, ID: version})
	check(j.t, err)
}

func (j *journalStore) DeleteBucket() { check(j.t, j.s.DeleteBucket(j.t.Context(), by, "b")) }

// The totals are those of the journals.
func TestJournalTotals(t *testing.T) {
	j := &journalStore{t: t, fs: vfs.NewCrashableMem(), clock: time.UnixMilli(1767628800000), bound: 2000}
	j.open()
	bucket(t, j.s, object.Enabled)
	if got := j.s.Totals(); got.Journals != 0 || got.JournalLargest != 0 || got.JournalLost != 0 || got.JournalLimit != 2000 {
		t.Errorf("without journals: %+v", got)
	}
	_, err := j.Journal().Subscribe(t.Context(), "b", "r", "")
	check(t, err)
	for range 100 {
		j.Put("key")
	}
	stat, err := j.Journal().Stat(t.Context(), "b")
	check(t, err)
	got := j.s.Totals()
	if stat.Lost == 0 || got.JournalLost != int64(stat.Lost) || got.JournalLargest != stat.Bytes || got.JournalBytes != stat.Bytes || got.JournalLimit != stat.Limit {
		t.Errorf("totals %+v of a journal with %+v", got, stat)
	}
}

// Restart abandons the store without closing it, and opens what has reached the disk.
func (j *journalStore) Restart() {
	j.fs = j.fs.CrashClone(vfs.CrashCloneCfg{})
	j.open()
	_, problems := audit(j.t, j.s)
	if len(problems) > 0 {
		j.t.Errorf("audit: %q", problems)
	}
}
