package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/report"
)

var update = flag.Bool("update", false, "rewrite golden files")

// selects is the filter, said plainly.
func selects(cfg *stocktake.InventoryConfiguration, r *stocktake.Record) bool {
	f := cfg.Filter
	if cfg.IncludedObjectVersions == stocktake.CurrentVersions && (!r.IsLatest || r.IsDeleteMarker) {
		return false
	}
	if r.IsDeleteMarker && (f.LowerSizeBound > 0 || f.UpperSizeBound > 0 || len(f.StorageClass) > 0) {
		return false
	}
	return strings.HasPrefix(string(r.Key), f.Prefix) &&
		r.LastModified >= f.LastModifyBeginTimeStamp && (f.LastModifyEndTimeStamp == 0 || r.LastModified <= f.LastModifyEndTimeStamp) &&
		r.Size >= f.LowerSizeBound && (f.UpperSizeBound == 0 || r.Size <= f.UpperSizeBound) &&
		(len(f.StorageClass) == 0 || slices.Contains(f.StorageClass, r.StorageClass))
}

func drawFilter(t *rapid.T) (f stocktake.Filter) {
	if rapid.Bool().Draw(t, "by prefix") {
		f.Prefix = rapid.SampledFrom([]string{"a", "a/", "😀", "猫", "%", "zz"}).Draw(t, "prefix")
	}
	if rapid.Bool().Draw(t, "by time") {
		f.LastModifyBeginTimeStamp = rapid.Int64Range(stocktake.MinFilterTime, 2_000_000_000).Draw(t, "begin")
		f.LastModifyEndTimeStamp = rapid.Int64Range(f.LastModifyBeginTimeStamp, 4_000_000_000).Draw(t, "end")
	}
	if rapid.Bool().Draw(t, "by size") {
		f.LowerSizeBound = rapid.Int64Range(0, 500).Draw(t, "lower")
		f.UpperSizeBound = rapid.SampledFrom([]int64{0, 700, stocktake.MaxObjectSize}).Draw(t, "upper")
	}
	if rapid.Bool().Draw(t, "by class") {
		f.StorageClass = []stocktake.StorageClass{stocktake.Standard, stocktake.ColdArchive}
	}
	return f
}

// A run reports exactly the records that its configuration selects, in order,
// whatever the filter, the columns, the number of workers and the size of
// shards.
func TestRunReportsWhatIsSelected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.Bool().Draw(t, "versions")
		records := membucket.Bucketful(t, 25, versions)
		cfg := newJob().Configuration
		cfg.Filter = drawFilter(t)
		if versions {
			cfg.IncludedObjectVersions = stocktake.AllVersions
		}
		cfg.OptionalFields = rapid.Permutation(allColumns).Draw(t, "fields")[:rapid.IntRange(0, len(allColumns)).Draw(t, "columns")]
		cfg.Destination.Prefix = rapid.SampledFrom([]string{"", "inv", "inv/"}).Draw(t, "destination")

		var want []byte
		var totals report.Totals
		listed := int64(0)
		enc, err := report.NewEncoder("photos", cfg.Columns())
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			if r := &records[i]; strings.HasPrefix(string(r.Key), cfg.Filter.Prefix) && (versions || r.IsLatest && !r.IsDeleteMarker) {
				listed++
			}
			if r := &records[i]; selects(&cfg, r) {
				want = enc.AppendRow(want, r)
				totals.Add(r)
			}
		}

		store := membucket.New(nil, "photos", "reports")
		store.Bucket("photos").Load(records...)
		dst := store.Bucket("reports")
		var progress engine.Progress
		job := engine.Job{Run: "run-1", Attempt: 1, Bucket: "photos", Configuration: cfg}
		opts := engine.Options{
			Workers: rapid.IntRange(1, 4).Draw(t, "workers"), MinSegment: rapid.Int64Range(1, 40).Draw(t, "segment"),
			Limits: report.Limits{
				Rows:  rapid.Int64Range(1, 30).Draw(t, "rows"),
				Bytes: rapid.SampledFrom([]int64{0, 1, 400}).Draw(t, "bytes"),
			},
			EmptyManifest: rapid.Bool().Draw(t, "empty"), Progress: &progress, Log: quiet,
		}
		result, err := engine.Run(t.Context(), store, dst, job, opts)
		if err != nil {
			t.Fatal(err)
		}
		s := result.Summary
		if s.Listed != listed || s.Matched != totals.Rows || s.Bytes != totals.Bytes || !slices.Equal(s.Classes, totals.Classes()) ||
			s.Bucket != "photos" || s.Configuration != "weekly-1" || s.Run != "run-1" || s.Consistency != stocktake.Snapshot {
			t.Errorf("summary %+v, want listed %d, %+v", s, listed, totals)
		}
		p := progress.Load()
		if p.Listed != listed || p.Matched != s.Matched || p.Bytes != s.Bytes || p.Shards != len(s.Files) || p.Key != "" {
			t.Errorf("progress %+v, summary %+v", p, s)
		}
		if totals.Rows == 0 && !opts.EmptyManifest {
			if result.Manifest != "" {
				t.Errorf("nothing matched, manifest %q", result.Manifest)
			}
			checkNothing(t, dst)
			return
		}
		got := rowsOf(t, dst, result.Manifest)
		if !bytes.Equal(got, want) {
			t.Errorf("rows\n%s, want\n%s", got, want)
		}
		v, err := report.Verify(t.Context(), dst, result.Manifest, report.VerifyOptions{})
		if err != nil || !v.OK {
			t.Errorf("verified %+v, %v", v, err)
		}
	})
}

// rowsOf are the rows of a report, as they stand.
func rowsOf(t tb, dst engine.Destination, manifest string) (rows []byte) {
	t.Helper()
	rep, err := report.Open(t.Context(), dst, manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Manifest.Files {
		rows = append(rows, gunzip(t, read(t, dst, f.Key))...)
	}
	return rows
}

// With a seed, the same data give the same files, whatever the number of cores
// and whatever was reported before.
func TestSeed(t *testing.T) {
	records := uniformRecords(t, 300)
	run := func(seed string, workers int, job engine.Job, dst *membucket.Bucket) map[string]string {
		store := membucket.New(nil, "photos")
		store.Bucket("photos").Load(records...)
		job.Seed = seed
		_, err := engine.Run(t.Context(), store, dst, job, engine.Options{Workers: workers, MinSegment: 20, Limits: report.Limits{Rows: 30}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		files := make(map[string]string)
		for _, key := range keys(t, dst) {
			files[key] = string(read(t, dst, key))
		}
		return files
	}
	empty := func() *membucket.Bucket { return membucket.New(nil, "reports").Bucket("reports") }
	anonymous := newJob()
	anonymous.Run = ""
	for _, job := range []engine.Job{newJob(), anonymous} {
		first := run("s", 1, job, empty())
		if len(first) < 8 {
			t.Fatalf("%d files", len(first))
		}
		if diff := cmp.Diff(first, run("s", 2, job, empty())); diff != "" {
			t.Errorf("the second run (-first +second):\n%s", diff)
		}
		other := run("t", 1, job, empty())
		for key := range other {
			if strings.HasSuffix(key, report.ManifestName) && first[key] == other[key] {
				t.Errorf("another seed gives the same %s", key)
			}
		}
	}
	// Again into the same place, it is the same run.
	dst := empty()
	first := run("s", 1, anonymous, dst)
	if diff := cmp.Diff(first, run("s", 2, anonymous, dst)); diff != "" {
		t.Errorf("into the same place (-first +second):\n%s", diff)
	}
}

// golden is a report as it lies in its bucket, byte by byte.
func TestGolden(t *testing.T) {
	store := membucket.New(nil, "photos", "reports")
	photos := store.Bucket("photos")
	photos.Load(
		stocktake.Record{
			Key: []byte("2026/01/a b.jpg"), VersionID: []byte("v3"), IsLatest: true, Size: 102400, LastModified: 1767582245,
			ETag: stocktake.ParseETag("9E107D9D372BB6826BD81D3542A419D6"), HasCRC64: true, CRC64: 12345678901234567890,
		},
		stocktake.Record{
			Key: []byte("2026/01/a b.jpg"), VersionID: []byte("v2"), IsDeleteMarker: true, LastModified: 1767582000,
		},
		stocktake.Record{
			Key: []byte("2026/01/a b.jpg"), VersionID: []byte("null"), Size: 5, LastModified: 1735689600,
			ETag: stocktake.ParseETag("D41D8CD98F00B204E9800998ECF8427E-2"), StorageClass: stocktake.ColdArchive, TransitionTime: 1738368000,
			Type: stocktake.Multipart, Multipart: true, Encrypted: true, TaggingCount: 2, ACL: stocktake.Private,
		},
		stocktake.Record{
			Key: []byte("猫,\"\n/ +%.jpg"), VersionID: []byte("v9"), IsLatest: true, LastModified: 1767582246,
			ETag: stocktake.ParseETag("0CC175B9C0F1B6A831C399E269772661"), Type: stocktake.Symlink,
		},
	)
	job := newJob(func(c *stocktake.InventoryConfiguration) {
		c.IncludedObjectVersions = stocktake.AllVersions
		c.OptionalFields = append(slices.Clone(allColumns), stocktake.FieldTransitionTime, stocktake.FieldLastAccessDate)
	})
	job.Seed = "golden"
	dst := store.Bucket("reports")
	if _, err := engine.Run(t.Context(), store, dst, job, engine.Options{Limits: report.Limits{Rows: 3}, Log: quiet}); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, key := range keys(t, dst) {
		got[key] = string(read(t, dst, key))
		if plain, ok := strings.CutSuffix(key, ".gz"); ok {
			got[plain] = string(gunzip(t, []byte(got[key])))
		}
	}
	root := filepath.Join("testdata", "golden")
	if *update {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		for key, content := range got {
			name := filepath.Join(root, filepath.FromSlash(key))
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(content), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := make(map[string]string)
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		want[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got), -update if it is right:\n%s", diff)
	}
}

// Two reports in one minute go into two minutes, and a directory that somebody
// began and left is not touched.
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

// Whoever comes second when two runs want one directory takes the next.
func TestDirectoryRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(1)
		dst := store.Bucket("reports")
		job := newJob()
		f := &faults{}
		f.on = func(_ int, op string) fault {
			if strings.HasPrefix(op, "Create") && strings.HasSuffix(op, "T00-00Z/"+report.SummaryName) {
				dst.Write(strings.TrimPrefix(op, "Create "), []byte("somebody else's"))
			}
			return none
		}
		result, err := engine.Run(t.Context(), store, faultyDestination{dst, f}, job, small)
		if err != nil || !strings.Contains(result.Manifest, "/2000-01-01T00-01Z/") {
			t.Errorf("%q, %v", result.Manifest, err)
		}
		if got := string(read(t, dst, "inv/photos/weekly-1/2000-01-01T00-00Z/manifest.summary")); got != "somebody else's" {
			t.Errorf("the other's summary is %q now", got)
		}
	})
}

// The gate before anything becomes visible: a refusal leaves nothing.
func TestPublishGate(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	calls := 0
	opts := small
	opts.Publish = func(context.Context) error {
		calls++
		for _, key := range keys(t, dst) {
			if !strings.HasSuffix(key, ".csv.gz") {
				t.Errorf("%s is visible already", key)
			}
		}
		return errBoom
	}
	_, err := engine.Run(t.Context(), store, dst, newJob(), opts)
	if !errors.Is(err, errBoom) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	checkNothing(t, dst)
}

// A report into the bucket it is about does not list itself: neither from a
// snapshot, nor from a store that shows new objects as it is listed.
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

// liveSource shows each segment as it is when it is scanned.
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

func (s liveSnapshot) Consistency() stocktake.Consistency { return stocktake.Window }

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

// recorder remembers what is created.
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

// A source that breaks its word about order fails the run rather than giving a
// report that is wrong in silence.
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

// While a run goes on, the key tells up to where everything is read.
func TestProgress(t *testing.T) {
	store := newStore(objects)
	store.Bucket("photos").SetVersioning(object.Enabled)
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

// read reads an object whole.
func read(t tb, b engine.Destination, key string) []byte {
	t.Helper()
	f, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
