package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// Two reports of one minute get the directories of two minutes, and a directory
// that another program has begun is not touched.
func TestOneDirectoryEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(1)
		dst := store.Bucket("reports")
		base := "inv/photos/weekly-1/"
		now := time.Now().UTC().Format // 2000-01-01T00-00Z
		if now("15-04") != "00-00" {
			t.Fatal(now(time.RFC3339))
		}
		dst.Write(base+"2000-01-01T00-01Z/"+report.SummaryName, []byte("{}"))
		for i, want := range []string{"2000-01-01T00-00Z", "2000-01-01T00-02Z", "2000-01-01T00-03Z"} {
			job := newJob()
			job.Run = fmt.Sprint("run-", i)
			result, err := engine.Run(t.Context(), store, dst, job, small)
			if want := base + want + "/manifest.json"; err != nil || result.Manifest != want {
				t.Errorf("run %d: %q, %v, want %q", i, result.Manifest, err, want)
			}
		}
		if got := string(read(t, dst, base+"2000-01-01T00-01Z/"+report.SummaryName)); got != "{}" {
			t.Errorf("the other's summary is %q now", got)
		}
	})
}

// When two runs claim one directory, the second one takes the next.
func TestDirectoryRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(1)
		dst := store.Bucket("reports")
		job := newJob()
		f := &faults{}
		f.on = func(_ int, op string) fault {
			if strings.HasPrefix(op, "Create") && strings.HasSuffix(op, "T00-00Z/"+report.SummaryName) {
				dst.Write(strings.TrimPrefix(op, "Create "), []byte("another run's"))
			}
			return none
		}
		result, err := engine.Run(t.Context(), store, faultyDestination{dst, f}, job, small)
		if err != nil || !strings.Contains(result.Manifest, "/2000-01-01T00-01Z/") {
			t.Errorf("%q, %v", result.Manifest, err)
		}
		if got := string(read(t, dst, "inv/photos/weekly-1/2000-01-01T00-00Z/manifest.summary")); got != "another run's" {
			t.Errorf("the other's summary is %q now", got)
		}
	})
}

// Record is called before anything becomes visible; if it fails, no file is left.
func TestRecordRefuses(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	calls := 0
	opts := small
	opts.Record = func(context.Context, []byte) ([]byte, error) {
		calls++
		for _, key := range keys(t, dst) {
			if !strings.HasSuffix(key, ".csv.gz") {
				t.Errorf("%s is visible already", key)
			}
		}
		return nil, errBoom
	}
	_, err := engine.Run(t.Context(), store, dst, newJob(), opts)
	if !errors.Is(err, errBoom) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	checkNothing(t, dst)
}

// A report that is written into its source bucket does not list itself, neither from
// a snapshot nor from a store that shows new objects during the listing.
func TestReportIntoItsSource(t *testing.T) {
	for _, live := range []bool{false, true} {
		store := newStore(objects)
		dst := store.Bucket("photos")
		job := newJob(func(c *stocktake.InventoryConfiguration) {
			c.Destination.Bucket = "photos"
			c.Destination.Prefix = "album/005" // amid the objects
		})
		opts := small
		opts.Workers = 1
		var src engine.Source = store
		if live {
			src = liveSource{store}
		}
		for n := range 2 { // the second report lists the files of the first
			job.Run = fmt.Sprint("run-", n)
			before := len(keys(t, dst))
			result, err := engine.Run(t.Context(), src, dst, job, opts)
			if err != nil || result.Summary.Matched != int64(before) {
				t.Errorf("live %v, run %d: %d rows of %d objects, %v", live, n, result.Summary.Matched, before, err)
			}
		}
	}
}

// liveSource shows each segment in its state at the time of the scan.
type liveSource struct{ *membucket.Store }

func (s liveSource) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	snap, err := s.Store.Snapshot(ctx, bucket)
	return liveSnapshot{snap, s.Store, bucket}, err
}

type liveSnapshot struct {
	engine.Snapshot
	store  *membucket.Store
	bucket string
}

func (s liveSnapshot) Consistency() stocktake.Consistency { return stocktake.ConsistencyWindow }

func (s liveSnapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	snap, err := s.store.Snapshot(ctx, s.bucket)
	if err != nil {
		return err
	}
	defer snap.Close()
	return snap.Scan(ctx, seg, versions, yield)
}

// All files carry the encryption of the configuration, and each its content
// type; manifest.json is the last and never replaces another.
func TestFiles(t *testing.T) {
	store := newStore(objects)
	dst := &recorder{Destination: store.Bucket("reports")}
	sse := stocktake.Encryption{SSEKMS: true, KeyID: "key-1"}
	job := newJob(func(c *stocktake.InventoryConfiguration) { c.Destination.Encryption = sse })
	if _, err := engine.Run(t.Context(), store, dst, job, small); err != nil {
		t.Fatal(err)
	}
	documents := []engine.FileOptions{
		{ContentType: "application/json", Encryption: sse, Exclusive: true},
		{ContentType: "application/json", Encryption: sse},
		{ContentType: "text/plain", Encryption: sse},
		{ContentType: "text/plain", Encryption: sse},
		{ContentType: "application/json", Encryption: sse, Exclusive: true},
	}
	for i, f := range dst.files {
		want := engine.FileOptions{ContentType: "application/octet-stream", Encryption: sse}
		if n := i - (len(dst.files) - len(documents)); n >= 0 {
			want = documents[n]
		}
		if f.opts != want || (want.ContentType == "application/octet-stream") != strings.HasSuffix(f.key, ".csv.gz") {
			t.Errorf("%s: options %+v, want %+v", f.key, f.opts, want)
		}
	}
	if last := dst.files[len(dst.files)-1].key; !strings.HasSuffix(last, "/manifest.json") {
		t.Errorf("the last file is %s", last)
	}
}

// recorder records the created files.
type recorder struct {
	engine.Destination
	mu    sync.Mutex
	files []struct {
		key  string
		opts engine.FileOptions
	}
}

func (r *recorder) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = append(r.files, struct {
		key  string
		opts engine.FileOptions
	}{key, opts})
	return r.Destination.Create(ctx, key, opts)
}

func TestRunRefuses(t *testing.T) {
	store := newStore(1)
	for name, edit := range map[string]func(*engine.Job){
		"no id":                     func(j *engine.Job) { j.Run = "" },
		"attempt 0":                 func(j *engine.Job) { j.Attempt = 0 },
		"no configuration":          func(j *engine.Job) { j.Configuration.ID = "" },
		"no destination":            func(j *engine.Job) { j.Configuration.Destination.Bucket = "" },
		"no format":                 func(j *engine.Job) { j.Configuration.Destination.Format = "" },
		"an unknown column":         func(j *engine.Job) { j.Configuration.OptionalFields = []stocktake.Field{stocktake.FieldRequester} },
		"a prefix that is too long": func(j *engine.Job) { j.Configuration.Destination.Prefix = strings.Repeat("p", 960) },
		"no such bucket":            func(j *engine.Job) { j.Bucket = "nowhere" },
	} {
		job := newJob()
		edit(&job)
		if _, err := engine.Run(t.Context(), store, store.Bucket("reports"), job, small); err == nil {
			t.Errorf("%s: no error", name)
		}
		checkNothing(t, store.Bucket("reports"))
	}
	job := newJob()
	job.Bucket = "nowhere"
	if _, err := engine.Run(t.Context(), store, store.Bucket("reports"), job, small); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("error %v", err)
	}
}

// A source that yields keys out of order fails the run: otherwise its report would be
// wrong without any sign.
func TestRunHoldsTheSourceToItsOrder(t *testing.T) {
	for name, batches := range map[string][][]string{
		"within a batch":   {{"album/2", "album/1"}},
		"between batches":  {{"album/2"}, {"album/1"}},
		"outside a prefix": {{"album/2", "other"}},
		"before a prefix":  {{"a"}},
	} {
		store := newStore(1)
		src := brokenSource{store, batches}
		job := newJob(func(c *stocktake.InventoryConfiguration) { c.Filter.Prefix = "album/" })
		if _, err := engine.Run(t.Context(), src, store.Bucket("reports"), job, small); err == nil || !strings.Contains(err.Error(), "out of order") {
			t.Errorf("%s: error %v", name, err)
		}
		checkNothing(t, store.Bucket("reports"))
	}
}

type brokenSource struct {
	engine.Source
	batches [][]string
}

func (s brokenSource) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	snap, err := s.Source.Snapshot(ctx, bucket)
	return brokenSnapshot{snap, s.batches}, err
}

type brokenSnapshot struct {
	engine.Snapshot
	batches [][]string
}

func (s brokenSnapshot) Scan(_ context.Context, _ engine.Segment, _ bool, yield func([]stocktake.Record) error) error {
	for _, keys := range s.batches {
		var batch []stocktake.Record
		for _, key := range keys {
			batch = append(batch, stocktake.Record{Key: []byte(key), IsLatest: true})
		}
		if err := yield(batch); err != nil {
			return err
		}
	}
	return nil
}

// During a run, everything up to the key of its progress has been read.
func TestProgress(t *testing.T) {
	store := newStore(objects)
	store.Bucket("photos").SetVersioning(membucket.Enabled)
	var p engine.Progress
	var seen []stocktake.Progress
	opts := small
	opts.Workers, opts.Progress = 1, &p
	opts.Failpoint = func(s engine.Step) {
		if s == engine.ShardCommitted {
			seen = append(seen, p.Load())
		}
	}
	result, err := engine.Run(t.Context(), store, store.Bucket("reports"), newJob(), opts)
	if err != nil {
		t.Fatal(err)
	}
	var last stocktake.Progress
	for i, now := range seen {
		if now.Shards != i+1 || now.Written <= last.Written || now.Listed < last.Listed || now.Key < last.Key || now.Expected != objects {
			t.Errorf("progress %+v after %+v", now, last)
		}
		last = now
	}
	if len(seen) != len(result.Summary.Files) || last.Key == "" {
		t.Errorf("%d shards, last %+v", len(seen), last)
	}
	if _, err := json.Marshal(p.Load()); err != nil {
		t.Error(err)
	}
}
