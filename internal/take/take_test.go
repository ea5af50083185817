package take_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/take"
	"github.com/stocktake/stocktake/report"
)

// A world is a bucket with a number of keys and another one for reports, in memory.
type world struct {
	store *membucket.Store
	keys  []string
	job   take.Job
}

func newWorld(n int) *world {
	w := &world{store: membucket.New(nil, "photos", "reports")}
	for i := range n {
		key := fmt.Sprintf("a/%05d", i)
		w.store.Bucket("photos").Put(stocktake.Record{Key: []byte(key), Size: 1})
		w.keys = append(w.keys, key)
	}
	w.job = take.Job{
		Origin: "memory", Source: w.store, Bucket: "photos", Destination: w.store.Bucket("reports"),
		Configuration: stocktake.InventoryConfiguration{
			ID: "take", OptionalFields: []stocktake.Field{stocktake.FieldSize}, IncludedObjectVersions: stocktake.CurrentVersions,
			Destination: stocktake.Destination{Format: "CSV", Bucket: "reports", Prefix: "p"},
		},
	}
	return w
}

// options have a slice end with each batch.
var options = take.Options{Slice: 1, Workers: 2}

// whole checks that there is one report of all keys, and nothing else.
func (w *world) whole(t *testing.T, result engine.Result) {
	t.Helper()
	dst := w.store.Bucket("reports")
	r, err := report.Open(t.Context(), dst, result.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(row.Record.Key))
	}
	if !slices.Equal(keys, w.keys) || result.Summary.Listed != int64(len(w.keys)) {
		t.Errorf("%d keys, %d listed, want %d", len(keys), result.Summary.Listed, len(w.keys))
	}
	shards, links := 0, 0
	for _, key := range w.files(t) {
		switch {
		case strings.Contains(key, "/data/"):
			shards++
		case strings.HasSuffix(key, "/"+report.SymlinkName):
			links++
		case !strings.HasPrefix(key, strings.TrimSuffix(result.Manifest, report.ManifestName)):
			t.Errorf("%s is left", key)
		}
	}
	if shards != len(result.Summary.Files) {
		t.Errorf("%d shards, the report has %d", shards, len(result.Summary.Files))
	}
	if links != 1 {
		t.Errorf("%d files %s", links, report.SymlinkName)
	}
}

func (w *world) files(t *testing.T) (keys []string) {
	t.Helper()
	for key, err := range w.store.Bucket("reports").List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestTake(t *testing.T) {
	for _, n := range []int{0, 1, 300} {
		w := newWorld(n)
		result, err := take.Run(t.Context(), w.job, options)
		if err != nil {
			t.Fatal(err)
		}
		w.whole(t, result)
	}
}

// cutting is a source whose scans call cut before each batch.
type cutting struct {
	engine.Source
	cut func() error
}

func (c cutting) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	s, err := c.Source.Snapshot(ctx, bucket)
	return cuttingSnapshot{s, c.cut}, err
}

type cuttingSnapshot struct {
	engine.Snapshot
	cut func() error
}

func (s cuttingSnapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	return s.Snapshot.Scan(ctx, seg, versions, func(batch []stocktake.Record) error {
		if err := errors.Join(s.cut(), ctx.Err()); err != nil {
			return err
		}
		return yield(batch)
	})
}

// A take that is interrupted, or whose source fails, continues from where it was,
// as often as needed, and lists nothing twice.
func TestContinue(t *testing.T) {
	w := newWorld(150)
	job := w.job
	for n := 0; ; n++ {
		if n > 100 {
			t.Fatal("it makes no progress")
		}
		ctx, interrupt := context.WithCancel(t.Context())
		batches := 0
		broken := errors.New("broken")
		job.Source = cutting{w.store, func() error {
			if batches++; batches < 4 {
				return nil
			}
			if n%2 == 0 {
				return broken
			}
			interrupt()
			return ctx.Err()
		}}
		opts := options
		opts.Workers = 1
		begun := take.Begun{}
		opts.Begun = func(b take.Begun) { begun = b }
		var listed func() stocktake.Progress
		opts.Follow = func(f func() stocktake.Progress) { listed = f }
		result, err := take.Run(ctx, job, opts)
		interrupt()
		if begun.Continued != (n > 0) || begun.Attempt != n+1 || n > 0 && begun.Listed == 0 {
			t.Fatalf("attempt %d: %+v", n, begun)
		}
		if p := listed(); p.Listed < begun.Listed || p.Listed > 150 {
			t.Errorf("attempt %d: %+v", n, p)
		}
		if err == nil {
			if n < 2 {
				t.Errorf("done after %d attempts", n+1)
			}
			w.whole(t, result)
			return
		}
		if n%2 == 0 && !errors.Is(err, broken) || n%2 == 1 && !errors.Is(err, take.ErrInterrupted) {
			t.Fatalf("attempt %d: %v", n, err)
		}
	}
}

// The state of another take is not continued. Starting over removes all of it.
func TestOther(t *testing.T) {
	w := newWorld(60)
	job, broken := w.job, errors.New("broken")
	batches := 0
	job.Source = cutting{w.store, func() error {
		if batches++; batches > 2 {
			return broken
		}
		return nil
	}}
	if _, err := take.Run(t.Context(), job, take.Options{Slice: 1, Workers: 1}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if files := w.files(t); len(files) < 2 || !slices.Contains(files, "p/photos/take/checkpoint.json") {
		t.Fatalf("%q", files)
	}
	for name, change := range map[string]func(*take.Job, *take.Options){
		"filter":  func(j *take.Job, _ *take.Options) { j.Configuration.Filter.Prefix = "a" },
		"columns": func(j *take.Job, _ *take.Options) { j.Configuration.OptionalFields = nil },
		"origin":  func(j *take.Job, _ *take.Options) { j.Origin = "elsewhere" },
		"shards":  func(_ *take.Job, o *take.Options) { o.Limits.Rows = 10 },
	} {
		other, opts := w.job, options
		change(&other, &opts)
		if _, err := take.Run(t.Context(), other, opts); !errors.Is(err, take.ErrOther) || !strings.Contains(err.Error(), "memory, started at") {
			t.Errorf("%s: %v", name, err)
		}
	}
	fresh := options
	fresh.Fresh = true
	fresh.Begun = func(b take.Begun) {
		if b.Continued || b.Attempt != 1 {
			t.Errorf("%+v", b)
		}
	}
	result, err := take.Run(t.Context(), w.job, fresh)
	if err != nil {
		t.Fatal(err)
	}
	w.whole(t, result)
}

// A state that cannot be read is not overwritten, unless the take is to start over.
func TestUnreadable(t *testing.T) {
	for _, text := range []string{"", "{", "null", "[]", "{}", `{"version":1}`, `{"version":2,"outline":{}}`} {
		w := newWorld(60)
		w.store.Bucket("reports").Write("p/photos/take/checkpoint.json", []byte(text))
		if _, err := take.Run(t.Context(), w.job, options); !errors.Is(err, take.ErrUnreadable) || errors.Is(err, take.ErrOther) {
			t.Errorf("%q: %v", text, err)
		}
		fresh := options
		fresh.Fresh = true
		result, err := take.Run(t.Context(), w.job, fresh)
		if err != nil {
			t.Errorf("%q, started over: %v", text, err)
			continue
		}
		w.whole(t, result)
	}
}

// failing is a destination that fails one of its operations.
type failing struct {
	engine.Destination
	left *int
}

var errInjected = errors.New("injected")

func (d failing) fail() error {
	if *d.left--; *d.left == 0 {
		return errInjected
	}
	return nil
}

func (d failing) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	if err := d.fail(); err != nil {
		return nil, err
	}
	f, err := d.Destination.Create(ctx, key, opts)
	return failingFile{f, d}, err
}

func (d failing) Remove(ctx context.Context, key string) error {
	return errors.Join(d.fail(), d.Destination.Remove(ctx, key))
}

func (d failing) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if err := d.fail(); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return d.Destination.List(ctx, prefix)
}

type failingFile struct {
	engine.File
	d failing
}

func (f failingFile) Commit(ctx context.Context, sum [16]byte) error {
	if err := f.d.fail(); err != nil {
		return err
	}
	return f.File.Commit(ctx, sum)
}

// Whichever operation of the destination fails, the next take completes the report
// and leaves no other files.
func TestEachOperationFailsOnce(t *testing.T) {
	failed := true
	for n := 1; failed; n++ {
		w := newWorld(30)
		job, left := w.job, n
		job.Destination = failing{w.job.Destination, &left}
		result, err := take.Run(t.Context(), job, take.Options{Slice: 1, Workers: 1})
		if failed = left <= 0; err != nil {
			if !errors.Is(err, errInjected) {
				t.Fatalf("operation %d: %v", n, err)
			}
			if result, err = take.Run(t.Context(), w.job, options); err != nil {
				t.Fatalf("after operation %d: %v", n, err)
			}
		}
		if files := w.files(t); slices.Contains(files, "p/photos/take/checkpoint.json") {
			// Only its removal failed: the next take finds the report complete.
			again, err := take.Run(t.Context(), w.job, options)
			if err != nil || again.Manifest != result.Manifest {
				t.Fatalf("operation %d, again: %+v, %v", n, again, err)
			}
		}
		w.whole(t, result)
	}
}
