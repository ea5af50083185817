package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// tb is the common part of testing.T and rapid.T.
type tb interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
	Context() context.Context
}

// newJob returns the first attempt of a run of the bucket photos.
func newJob(edit ...func(*stocktake.InventoryConfiguration)) engine.Job {
	job := engine.Job{Run: "run-1", Attempt: 1, Bucket: "photos", Configuration: stocktake.InventoryConfiguration{
		ID: "weekly-1", IncludedObjectVersions: stocktake.CurrentVersions, OptionalFields: allColumns,
		Destination: stocktake.Destination{Format: "CSV", Bucket: "reports", Prefix: "inv"},
	}}
	for _, e := range edit {
		e(&job.Configuration)
	}
	return job
}

// newStore has n objects in photos, and reports.
func newStore(n int) *membucket.Store {
	store := membucket.New(nil, "photos", "reports")
	for i := range n {
		store.Bucket("photos").Put(stocktake.Record{Key: fmt.Appendf(nil, "album/%03d.jpg", i), Size: int64(i)})
	}
	return store
}

// keys returns the keys of all objects in a bucket.
func keys(t tb, b engine.Destination) (keys []string) {
	t.Helper()
	for key, err := range b.List(context.WithoutCancel(t.Context()), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// checkWhole checks that dst has exactly one verified report of rows rows, and no
// other files.
func checkWhole(t tb, dst engine.Destination, manifest string, rows int64) {
	t.Helper()
	v, err := report.Verify(t.Context(), dst, manifest, report.VerifyOptions{})
	if err != nil || !v.OK || v.Rows != rows || len(v.Unchecked) > 0 {
		t.Errorf("verified %+v, %v, want %d rows", v, err, rows)
		return
	}
	rep, err := report.Open(t.Context(), dst, manifest)
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSuffix(manifest, report.ManifestName)
	want := []string{manifest, dir + report.ChecksumName, dir + report.RollupName, dir + report.SummaryName}
	var list strings.Builder
	for _, f := range rep.Manifest.Files {
		want = append(want, f.Key)
		list.WriteString("oss://reports/" + f.Key + "\n")
	}
	base, minute := path.Split(strings.TrimSuffix(dir, "/"))
	started, err := time.Parse("2006-01-02T15-04Z", minute)
	if err != nil {
		t.Fatal(err)
	}
	symlink := base + "hive/dt=" + started.Format("2006-01-02-15-04") + "/symlink.txt"
	want = append(want, symlink)
	if f, err := dst.Open(t.Context(), symlink); err != nil {
		t.Errorf("open %s: %v", symlink, err)
	} else if got, err := io.ReadAll(f); err != nil || string(got) != list.String() {
		t.Errorf("%s is %q, %v, want %q", symlink, got, err, list.String())
	}
	slices.Sort(want)
	if got := keys(t, dst); !slices.Equal(got, want) {
		t.Errorf("the destination holds\n%q, want\n%q", got, want)
	}
}

// checkNothing checks that dst is empty.
func checkNothing(t tb, dst engine.Destination) {
	t.Helper()
	if got := keys(t, dst); len(got) > 0 {
		t.Errorf("the destination holds %q, want nothing", got)
	}
}

var errBoom = errors.New("boom")

// faults are shared by the source and the destination of a run: on returns the fault
// of each operation, by its number from 1. It is called under a lock.
type faults struct {
	mu    sync.Mutex
	n     int
	on    func(n int, op string) fault
	names []string
}

// faultAt returns faults with one fault, of the n-th operation, whose name it stores in op.
func faultAt(n int, kind fault, op *string) *faults {
	return &faults{on: func(i int, name string) fault {
		if i == n {
			*op = name
			return kind
		}
		return none
	}}
}

// fault is the fault of an operation.
type fault int

const (
	none  fault = iota
	fails       // it does nothing
	lost        // it is done, but its answer is lost
)

func (f *faults) next(op string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	f.names = append(f.names, op)
	return f.on(f.n, op)
}

// do calls op unless the operation is to fail.
func do[T any](f *faults, name string, op func() (T, error)) (v T, err error) {
	what := f.next(name)
	if what == fails {
		return v, fmt.Errorf("%s: %w", name, errBoom)
	}
	v, err = op()
	if what == lost && err == nil {
		return v, fmt.Errorf("%s: %w", name, errBoom)
	}
	return v, err
}

func (f *faults) do(name string, op func() error) error {
	_, err := do(f, name, func() (struct{}, error) { return struct{}{}, op() })
	return err
}

type faultySource struct {
	engine.Source
	*faults
}

func (s faultySource) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	snap, err := do(s.faults, "Snapshot", func() (engine.Snapshot, error) { return s.Source.Snapshot(ctx, bucket) })
	return faultySnapshot{snap, s.faults}, err
}

type faultySnapshot struct {
	engine.Snapshot
	*faults
}

func (s faultySnapshot) Count(ctx context.Context, prefix string) (int64, error) {
	return do(s.faults, "Count", func() (int64, error) { return s.Snapshot.Count(ctx, prefix) })
}

func (s faultySnapshot) Split(ctx context.Context, prefix string, n int) ([]string, error) {
	return do(s.faults, "Split", func() ([]string, error) { return s.Snapshot.Split(ctx, prefix, n) })
}

func (s faultySnapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	err := s.Snapshot.Scan(ctx, seg, versions, func(batch []stocktake.Record) error {
		if err := yield(batch); err != nil {
			return err
		}
		return s.do("Scan", func() error { return nil })
	})
	return err
}

func (s faultySnapshot) Close() error { return s.do("Close", s.Snapshot.Close) }

type faultyDestination struct {
	engine.Destination
	*faults
}

func (d faultyDestination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	f, err := do(d.faults, "Create "+key, func() (engine.File, error) { return d.Destination.Create(ctx, key, opts) })
	if err != nil {
		return nil, err
	}
	return faultyFile{f, key, d.faults}, nil
}

func (d faultyDestination) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return do(d.faults, "Open "+key, func() (io.ReadCloser, error) { return d.Destination.Open(ctx, key) })
}

func (d faultyDestination) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return do(d.faults, "OpenRange "+key, func() (io.ReadCloser, error) { return d.Destination.OpenRange(ctx, key, offset, length) })
}

func (d faultyDestination) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := d.do("List "+prefix, func() error { return nil }); err != nil {
			yield("", err)
			return
		}
		d.Destination.List(ctx, prefix)(yield)
	}
}

func (d faultyDestination) FreeSpace(ctx context.Context) (int64, error) {
	return do(d.faults, "FreeSpace", func() (int64, error) { return d.Destination.FreeSpace(ctx) })
}

func (d faultyDestination) Remove(ctx context.Context, key string) error {
	return d.do("Remove "+key, func() error { return d.Destination.Remove(ctx, key) })
}

type faultyFile struct {
	engine.File
	key string
	*faults
}

func (f faultyFile) Write(p []byte) (int, error) {
	return do(f.faults, "Write "+f.key, func() (int, error) { return f.File.Write(p) })
}

func (f faultyFile) Commit(ctx context.Context, sum [16]byte) error {
	return f.do("Commit "+f.key, func() error { return f.File.Commit(ctx, sum) })
}
