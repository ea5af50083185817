package retention_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/retention"
	"github.com/stocktake/stocktake/report"
)

type stores struct {
	*membucket.Store
	wrap func(engine.Destination) engine.Destination // nil: none
}

func (s stores) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return s.Store, nil
}

func (s stores) Destination(_ context.Context, cfg *stocktake.InventoryConfiguration) (engine.Destination, error) {
	if s.wrap != nil {
		return s.wrap(s.Bucket(cfg.Destination.Bucket)), nil
	}
	return s.Bucket(cfg.Destination.Bucket), nil
}

type world struct {
	t       testing.TB
	now     time.Time
	stores  stores
	entry   inventory.Entry
	remover *retention.Remover
	runs    int

	last     string   // manifest of the last run
	warnings []string // of the last removal
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newWorld(t testing.TB, strays inventory.StrayCatalog) *world {
	w := &world{t: t, now: time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC), entry: catalogtest.Entry("photos", "daily")}
	w.stores.Store = membucket.New(func() time.Time { return w.now }, "photos", "reports")
	w.entry.Configuration.Filter.Prefix = ""
	for i := range 3 {
		w.stores.Bucket("photos").Load(stocktake.Record{Key: fmt.Append(nil, i), Size: 1, IsLatest: true, LastModified: 1_700_000_000})
	}
	w.remover = &retention.Remover{Stores: w.stores, Strays: strays, Now: func() time.Time { return w.now }, Log: quiet}
	return w
}

func openCatalog(t testing.TB) *sqlite.Catalog {
	c, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// run makes a report with two shards, and returns its manifest.
func (w *world) run() string {
	w.t.Helper()
	w.runs++
	result, err := engine.Run(w.t.Context(), w.stores.Store, w.stores.Bucket("reports"), engine.Job{
		Run: fmt.Sprint("run", w.runs), Attempt: 1, Queued: w.now, Bucket: "photos", Configuration: w.entry.Configuration,
	}, engine.Options{Workers: 1, Limits: report.Limits{Rows: 2}, Log: quiet})
	if err != nil {
		w.t.Fatal(err)
	}
	w.last = result.Manifest
	return w.last
}

func (w *world) removeReports(suspect bool) {
	w.t.Helper()
	w.warnings = nil
	var err error
	if w.warnings, err = w.remover.RemoveReports(w.t.Context(), inventory.RemovalJob{Entry: w.entry, Manifest: w.last, Suspect: suspect}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) keys(part string) (keys []string) {
	w.t.Helper()
	for key, err := range w.stores.Bucket("reports").List(w.t.Context(), "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.Contains(key, part) {
			keys = append(keys, key)
		}
	}
	return keys
}

// complete checks that the shards of each manifest exist, and that there are no others.
func (w *world) complete() {
	w.t.Helper()
	shards := w.keys("/data/")
	for _, key := range w.keys(report.ManifestName) {
		r, err := report.Open(w.t.Context(), w.stores.Bucket("reports"), key)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range r.Manifest.Files {
			i := slices.Index(shards, f.Key)
			if i < 0 {
				w.t.Fatalf("%s names %s, which is not there", key, f.Key)
			}
			shards = slices.Delete(shards, i, i+1)
		}
	}
	if lists, manifests := w.keys("/hive/"), w.keys(report.ManifestName); len(lists) != len(manifests) {
		w.t.Errorf("%q of the reports %q", lists, manifests)
	}
	if len(shards) != 0 {
		w.t.Errorf("no manifest names %q", shards)
	}
}

func TestKeepsWhatTheRuleSays(t *testing.T) {
	for _, tt := range []struct {
		rule stocktake.Retention
		want []int // of ten reports, a day apart; the newest was just made
	}{
		{stocktake.Retention{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{stocktake.Retention{Reports: 1}, []int{9}},
		{stocktake.Retention{Reports: 3}, []int{7, 8, 9}},
		{stocktake.Retention{Reports: 100}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{stocktake.Retention{Days: 2}, []int{7, 8, 9}},
		{stocktake.Retention{Days: inventory.MaxRetention}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, // longer than the longest time.Duration
		{stocktake.Retention{Days: 5, Reports: 2}, []int{4, 5, 6, 7, 8, 9}},
		{stocktake.Retention{Days: 1, Reports: 4}, []int{6, 7, 8, 9}},
	} {
		t.Run(fmt.Sprintf("%+v", tt.rule), func(t *testing.T) {
			w := newWorld(t, openCatalog(t))
			var manifests, want []string
			for range 10 {
				w.now = w.now.Add(24 * time.Hour)
				manifests = append(manifests, w.run())
			}
			for _, i := range tt.want {
				want = append(want, manifests[i])
			}
			w.entry.Retention = tt.rule
			w.removeReports(false)
			if diff := cmp.Diff(want, w.keys(report.ManifestName)); diff != "" {
				t.Errorf("reports (-want +got):\n%s", diff)
			}
			w.complete()
			if got := len(w.keys("manifest")); got != filesOfReport*len(want) {
				t.Errorf("%d manifest files of %d reports", got, len(want))
			}
		})
	}
}

// filesOfReport is the number of files of a report that are not shards.
const filesOfReport = 4

func TestTheNewestStaysHoweverOld(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	manifest := w.run()
	w.now = w.now.Add(100 * 24 * time.Hour)
	w.entry.Retention = stocktake.Retention{Days: 1}
	w.removeReports(false)
	if got := w.keys(report.ManifestName); !slices.Equal(got, []string{manifest}) {
		t.Errorf("reports %q, want %q", got, manifest)
	}
}

// TestReportsFromTheFuture lets the clock be ahead for a while: the reports of that time are
// not removed, and do not count when newer reports are.
func TestReportsFromTheFuture(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	w.entry.Retention = stocktake.Retention{Reports: 2}
	now := w.now
	w.now = now.Add(49 * time.Hour)
	future := []string{w.run()}
	w.now = w.now.Add(time.Hour)
	future = append(future, w.run())
	w.now = now
	var made []string
	for range 4 {
		w.now = w.now.Add(2 * time.Minute)
		made = append(made, w.run())
		w.removeReports(false)
		if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "dated in the future") {
			t.Errorf("warnings %q", w.warnings)
		}
	}
	want := slices.Sorted(slices.Values(append(future, made[2:]...)))
	if diff := cmp.Diff(want, w.keys(report.ManifestName)); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	w.complete()

	w.now = now.Add(60 * time.Hour)
	made = append(made, w.run())
	w.removeReports(false)
	if diff := cmp.Diff([]string{future[1], made[4]}, w.keys(report.ManifestName)); diff != "" || len(w.warnings) != 0 {
		t.Errorf("once their time has come: reports (-want +got):\n%s\nwarnings %q", diff, w.warnings)
	}
}

// TestTheReportJustMadeStays removes reports after a run whose report is the oldest.
func TestTheReportJustMadeStays(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	now := w.now
	for range 3 {
		w.now = w.now.Add(10 * time.Minute) // not far enough to count as the future
		w.run()
	}
	w.now = now
	last := w.run()
	w.entry.Retention = stocktake.Retention{Reports: 1}
	w.removeReports(false)
	if got := w.keys(report.ManifestName); len(got) != 2 || !slices.Contains(got, last) {
		t.Errorf("reports %q, want the newest and %s", got, last)
	}
}

// TestReportsOfOthersStay puts reports of other configurations in the folder.
func TestReportsOfOthersStay(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	bucket := w.stores.Bucket("reports")
	read := func(key string) []byte {
		f, err := bucket.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for range 3 {
		w.run()
		w.now = w.now.Add(24 * time.Hour)
	}
	var strange []string
	for i, key := range w.keys(report.ManifestName)[:2] {
		name := []string{report.SummaryName, report.ManifestName}[i]
		at := strings.TrimSuffix(key, report.ManifestName) + name
		changed := strings.Replace(string(read(at)), `"daily"`, `"weekly"`, 1)
		if name == report.ManifestName {
			changed = strings.Replace(string(read(at)), `"photos"`, `"videos"`, 1)
		}
		bucket.Write(at, []byte(changed))
		strange = append(strange, key)
	}
	last := w.run()
	w.entry.Retention = stocktake.Retention{Reports: 1}
	w.removeReports(true)
	if diff := cmp.Diff(append(strange, last), w.keys(report.ManifestName)); diff != "" || len(w.warnings) != 2 {
		t.Errorf("reports (-want +got):\n%s\nwarnings %q", diff, w.warnings)
	}
	w.complete()
}

// denied denies the removal of keys that contain a text.
type denied string

func (d denied) MayRemove(_ context.Context, cfg *stocktake.InventoryConfiguration, keys []string) error {
	for _, key := range keys {
		if strings.Contains(key, string(d)) {
			return fmt.Errorf("%s may not oss:DeleteObject on %s: %w", cfg.Destination.RoleARN, key, stocktake.ErrAccessDenied)
		}
	}
	return nil
}

// TestRoleThatMayNotRemove keeps reports complete if the role may not remove some
// or all of their files, and keeps strays.
func TestRoleThatMayNotRemove(t *testing.T) {
	for _, part := range []string{report.ManifestName, "/data/"} {
		t.Run(part, func(t *testing.T) {
			w := newWorld(t, openCatalog(t))
			for range 3 {
				w.run()
				w.now = w.now.Add(24 * time.Hour)
			}
			stray := report.Location{Prefix: "inv", Bucket: "photos", Configuration: "daily"}.Data() + "01234567-89ab-8def-8123-0123456789ab.csv.gz"
			w.stores.Bucket("reports").Write(stray, []byte("x"))
			before := w.keys("")
			w.entry.Retention = stocktake.Retention{Reports: 1}
			w.remover.Rights = denied(part)
			for range 2 {
				_, err := w.remover.RemoveReports(t.Context(), inventory.RemovalJob{Entry: w.entry, Manifest: w.last, Suspect: true})
				if !errors.Is(err, stocktake.ErrAccessDenied) {
					t.Errorf("%v, want %v", err, stocktake.ErrAccessDenied)
				}
				w.now = w.now.Add(48 * time.Hour)
			}
			if diff := cmp.Diff(before, w.keys("")); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			w.remover.Rights = denied("no such part")
			w.removeReports(true)
			w.now = w.now.Add(48 * time.Hour)
			w.removeReports(false)
			if got := w.keys(report.ManifestName); len(got) != 1 {
				t.Errorf("with the right: %q", got)
			}
			w.complete()
		})
	}
}

func TestStraysGoAfterTheGraceTime(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	w.run()
	at := report.Location{Prefix: "inv", Bucket: "photos", Configuration: "daily"}
	strays := []string{
		at.Data() + "01234567-89ab-8def-8123-0123456789ab.csv.gz",
		at.Data() + "01234567-89ab-8def-8123-0123456789ab-1.csv.gz",
		at.Directory(w.now.Add(-time.Hour)) + report.SummaryName,
		at.Symlink(w.now.Add(-time.Hour)),
		at.Data() + "01234567-89ab-8def-8123-0123456789ab-2.parquet",
	}
	others := []string{
		at.Data() + "readme.txt",
		at.Data() + "01234567-89ab-4def-8123-0123456789ab.csv.gz", // of OSS: a random UUID
		at.Directory(w.now.Add(-time.Hour)) + "notes.txt",
		at.Symlink(w.now.Add(-2 * time.Hour)),
		at.Directory(w.now.Add(-2*time.Hour)) + report.ChecksumName,          // nothing says whose it is
		"inv/photos/daily2/data/01234567-89ab-8def-8123-0123456789ab.csv.gz", // of another configuration
	}
	for _, key := range slices.Concat(strays, others) {
		content := "x"
		if strings.HasSuffix(key, report.SummaryName) {
			content = `{"version":1,"bucket":"photos","configuration":"daily","files":[]}`
		}
		w.stores.Bucket("reports").Write(key, []byte(content))
	}
	has := func(keys []string) (n int) {
		for _, key := range keys {
			if slices.Contains(w.keys(""), key) {
				n++
			}
		}
		return n
	}
	w.removeReports(false) // no file is suspect, so none is searched for
	w.now = w.now.Add(48 * time.Hour)
	w.removeReports(true) // found
	if has(strays) != len(strays) {
		t.Fatal("strays were removed when they were found")
	}
	w.now = w.now.Add(24*time.Hour - time.Second)
	w.removeReports(false)
	if has(strays) != len(strays) {
		t.Fatal("strays were removed within the grace time")
	}
	w.now = w.now.Add(time.Second)
	w.removeReports(false)
	if has(strays) != 0 || has(others) != len(others) {
		t.Errorf("after the grace time there are %q", w.keys(""))
	}
	if known, err := w.remover.Strays.HasStrays(t.Context(), "photos", "daily"); err != nil || known {
		t.Errorf("strays are still known: %v, %v", known, err)
	}
}

// failing fails its n-th operation.
type failing struct {
	engine.Destination
	n *atomic.Int32 // operations until the one that fails
}

var errStore = errors.New("the store fails")

func (f failing) fail() error {
	if f.n.Add(-1) == 0 {
		return errStore
	}
	return nil
}

func (f failing) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Destination.Open(ctx, key)
}

func (f failing) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := f.fail(); err != nil {
			yield("", err)
			return
		}
		f.Destination.List(ctx, prefix)(yield)
	}
}

func (f failing) Remove(ctx context.Context, key string) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Destination.Remove(ctx, key)
}

// TestEachOperationFailsOnce stops a pass at each of its operations: no remaining report is
// ever incomplete, and the following passes complete the removal.
func TestEachOperationFailsOnce(t *testing.T) {
	for n := int32(1); ; n++ {
		w := newWorld(t, openCatalog(t))
		for range 3 {
			w.run()
			w.now = w.now.Add(24 * time.Hour)
		}
		w.entry.Retention = stocktake.Retention{Reports: 1}
		var left atomic.Int32
		left.Store(n)
		w.remover.Stores = stores{w.stores.Store, func(d engine.Destination) engine.Destination { return failing{d, &left} }}
		_, err := w.remover.RemoveReports(t.Context(), inventory.RemovalJob{Entry: w.entry, Manifest: w.last})
		if err != nil && !errors.Is(err, errStore) {
			t.Fatal(err)
		}
		for _, key := range w.keys(report.ManifestName) {
			v, err := report.Verify(t.Context(), w.stores.Bucket("reports"), key, report.VerifyOptions{})
			if err != nil || len(v.Findings) != 0 {
				t.Errorf("operation %d failed: %s: %+v, %v", n, key, v, err)
			}
		}
		w.remover.Stores = w.stores
		for range 2 {
			w.removeReports(true) // the service reports so after a run that failed
			w.now = w.now.Add(24 * time.Hour)
		}
		w.complete()
		if got := w.keys(report.ManifestName); len(got) != 1 {
			t.Errorf("operation %d failed: reports %q", n, got)
		}
		if got := w.keys("manifest"); len(got) != filesOfReport {
			t.Errorf("operation %d failed: there are %q", n, got)
		}
		if err == nil {
			break
		}
	}
}

// TestAnyRule checks every rule against its definition.
func TestAnyRule(t *testing.T) {
	c := openCatalog(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, c)
		w.entry.Retention = stocktake.Retention{Reports: rapid.IntRange(0, 6).Draw(rt, "reports"), Days: rapid.IntRange(0, 6).Draw(rt, "days")}
		type made struct {
			manifest string
			at       time.Time
		}
		var all []made
		for range rapid.IntRange(1, 6).Draw(rt, "runs") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 72).Draw(rt, "hours")) * time.Hour)
			all = append(all, made{w.run(), w.now})
		}
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 72).Draw(rt, "hours")) * time.Hour)
		w.removeReports(rapid.Bool().Draw(rt, "suspect"))
		left := w.keys(report.ManifestName)
		r := w.entry.Retention
		for i, m := range all {
			fromEnd := len(all) - i
			want := r == (stocktake.Retention{}) || fromEnd == 1 || fromEnd <= r.Reports ||
				(r.Days > 0 && w.now.Sub(m.at) <= time.Duration(r.Days)*24*time.Hour)
			if slices.Contains(left, m.manifest) != want {
				rt.Fatalf("%+v: report %d of %d, %v old: kept %v", r, i+1, len(all), w.now.Sub(m.at), !want)
			}
		}
		w.complete()
	})
}
