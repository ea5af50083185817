package window_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/window"
	"github.com/stocktake/stocktake/report"
)

var update = flag.Bool("update", false, "rewrite golden files")

// incremental returns all columns that IncrementalInventory/OptionalFields may name.
func incremental() (fields []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		if f.Column().Incremental == stocktake.Optional {
			fields = append(fields, f)
		}
	}
	return fields
}

// history has a change of each kind.
func history() []journal.Change {
	put, update, marker, removal, revealed, old := change(1, "猫 a.jpg"), change(2, "b"), change(3, "b"), change(4, "b"), change(5, "b"), change(6, "b")
	update.Type = journal.UpdateMetadata
	update.Requester, update.RequestID, update.SourceIP = nil, nil, nil
	update.Record.StorageClass, update.Record.ACL, update.Record.Encrypted = stocktake.IA, stocktake.PublicRead, true
	marker.Type, marker.Record.IsDeleteMarker = journal.Delete, true
	removal.Type, removal.Permanent = journal.Delete, true
	removal.Record = stocktake.Record{Key: []byte("b"), VersionID: []byte("V3"), IsLatest: true}
	revealed.Revealed, revealed.Record.VersionID = true, []byte("V2")
	old.Type, old.Permanent = journal.Delete, true
	old.Record = stocktake.Record{Key: []byte("b"), VersionID: []byte("V0")}
	return []journal.Change{put, update, marker, removal, revealed, old}
}

// TestGolden compares all files of windows with all columns, byte for byte.
func TestGolden(t *testing.T) {
	for _, versions := range []stocktake.IncludedObjectVersions{stocktake.AllVersions, stocktake.CurrentVersions} {
		store := membucket.New(nil, "reports")
		j := &log{changes: history(), gaps: []journal.Gap{{
			First: stocktake.JournalPosition{Sequence: 1, Time: start.UnixMilli()}, Last: stocktake.JournalPosition{Sequence: 1, Time: start.UnixMilli()}, Changes: 1,
		}}}
		if versions == stocktake.AllVersions {
			j.gaps = nil
		}
		result, err := window.Make(t.Context(), j, store.Bucket("reports"), newJob(configuration(versions, incremental()...)),
			window.Options{Limits: report.Limits{Rows: 3}, Log: quiet, Record: new(kept).record})
		if err != nil {
			t.Fatal(err)
		}
		rows(t, store.Bucket("reports"), result.Manifest)
		var got strings.Builder
		files := contents(t, store.Bucket("reports"))
		for _, key := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintf(&got, "== %s\n%s\n", key, strings.TrimSuffix(files[key], "\n"))
		}
		path := filepath.Join("testdata", strings.ToLower(string(versions))+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// TestSelected checks which changes are reported.
func TestSelected(t *testing.T) {
	all := append(history(), change(7, "inv/photos/weekly-1/incremental_inventory/x"), change(8, "inv/photos/weekly-10/x"), change(9, "猫/z"), change(700, "in the next window"))
	for name, tt := range map[string]struct {
		versions stocktake.IncludedObjectVersions
		change   func(*stocktake.InventoryConfiguration)
		want     []string
	}{
		"all versions": {stocktake.AllVersions, nil, []string{
			"CREATE 猫 a.jpg", "UPDATE_METADATA b", "DELETE b", "DELETE b", "DELETE b",
			"CREATE inv/photos/weekly-1/incremental_inventory/x", "CREATE inv/photos/weekly-10/x", "CREATE 猫/z",
		}},
		"current versions": {stocktake.CurrentVersions, nil, []string{
			"CREATE 猫 a.jpg", "UPDATE_METADATA b", "DELETE b", "DELETE b", "CREATE b",
			"CREATE inv/photos/weekly-1/incremental_inventory/x", "CREATE inv/photos/weekly-10/x", "CREATE 猫/z",
		}},
		"prefix alone": {stocktake.AllVersions, func(c *stocktake.InventoryConfiguration) {
			c.Filter = stocktake.Filter{Prefix: "猫", LowerSizeBound: 1 << 40}
		}, []string{"CREATE 猫 a.jpg", "CREATE 猫/z"}},
		"not its own reports": {stocktake.AllVersions, func(c *stocktake.InventoryConfiguration) {
			c.Filter.Prefix, c.Destination.Bucket = "inv/", "photos"
		}, []string{"CREATE inv/photos/weekly-10/x"}},
		"within its own reports": {stocktake.AllVersions, func(c *stocktake.InventoryConfiguration) {
			c.Filter.Prefix, c.Destination.Bucket = "inv/photos/weekly-1/incremental_inventory/", "photos"
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configuration(tt.versions, incremental()...)
			if tt.change != nil {
				tt.change(&cfg)
			}
			dst := membucket.New(nil, "b").Bucket("b")
			result, err := window.Make(t.Context(), &log{changes: all}, dst, newJob(cfg), window.Options{Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if result.Manifest != "" {
				got = rows(t, dst, result.Manifest)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if result.Until.Sequence != 9 {
				t.Errorf("until %d", result.Until.Sequence)
			}
		})
	}
}

// TestEmpty checks that a window without changes writes nothing unless an option
// requires it or changes were lost, and which window is next.
func TestEmpty(t *testing.T) {
	late := change(3000, "a") // fifty minutes later
	for name, tt := range map[string]struct {
		job      func(*window.Job)
		journal  log
		opts     window.Options
		manifest bool
		until    uint64
		next     time.Duration
	}{
		"nothing":            {next: 10 * time.Minute},
		"nothing until now":  {job: func(j *window.Job) { j.Now = start.Add(time.Hour) }, next: time.Hour},
		"something later":    {job: func(j *window.Job) { j.Now = start.Add(time.Hour) }, journal: log{changes: []journal.Change{late}}, next: 50 * time.Minute},
		"each has a file":    {job: func(j *window.Job) { j.Now = start.Add(time.Hour) }, opts: window.Options{EmptyManifest: true}, manifest: true, next: 10 * time.Minute},
		"changes are lost":   {journal: log{gaps: []journal.Gap{{First: stocktake.JournalPosition{Sequence: 1, Time: start.UnixMilli()}, Last: stocktake.JournalPosition{Sequence: 1, Time: start.UnixMilli()}, Changes: 1}}}, manifest: true, next: 10 * time.Minute},
		"the reader is lost": {journal: log{at: stocktake.JournalPosition{Sequence: 77}}, manifest: true, next: 10 * time.Minute},
		"the reader is ahead of the changes": {job: func(j *window.Job) {
			j.After.Sequence, j.Now = 77, start.Add(time.Hour)
		}, journal: log{at: stocktake.JournalPosition{Sequence: 77}}, until: 77, next: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			job := newJob(configuration(stocktake.AllVersions))
			if tt.job != nil {
				tt.job(&job)
			}
			tt.opts.Log = quiet
			dst := membucket.New(nil, "b").Bucket("b")
			result, err := window.Make(t.Context(), &tt.journal, dst, job, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Manifest != ""; got != tt.manifest || got != (len(contents(t, dst)) > 0) {
				t.Errorf("manifest %q, files %q", result.Manifest, contents(t, dst))
			}
			if tt.until > 0 && result.Until.Sequence != tt.until {
				t.Errorf("until %d, want %d", result.Until.Sequence, tt.until)
			}
			if got := result.Next.Sub(start); got != tt.next {
				t.Errorf("the next window starts after %s, want %s", got, tt.next)
			}
		})
	}
}

// Each operation fails once, or succeeds while its answer is lost. Before the
// report is recorded no file remains; afterwards the next attempt completes it. In
// the end there is one report with each change once.
func TestMakeIsAllOrNothing(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 1; ; n++ {
			dst := membucket.New(nil, "b").Bucket("b")
			k := new(kept)
			f := &faults{at: n, lost: lost}
			job := newJob(configuration(stocktake.AllVersions, incremental()...))
			opts := window.Options{Limits: report.Limits{Rows: 2}, Log: quiet, Record: k.record}
			result, err := window.Make(t.Context(), &log{changes: history(), fault: f}, destination{dst, f}, job, opts)
			if err != nil {
				if !errors.Is(err, errBoom) {
					t.Fatalf("%d %s: %v", n, f.op, err)
				}
				if left := contents(t, dst); k.report == nil && len(left) > 0 {
					t.Fatalf("%d %s: left %q", n, f.op, slices.Sorted(maps.Keys(left)))
				}
				job.Attempt, job.Recorded = 2, k.report
				if result, err = window.Make(t.Context(), &log{changes: history()}, dst, job, opts); err != nil {
					t.Fatalf("%d %s: again: %v", n, f.op, err)
				}
			}
			checkOne(t, dst, result)
			if f.op == "" {
				break
			}
		}
	}
}

func checkOne(t *testing.T, dst *membucket.Bucket, result window.Result) {
	t.Helper()
	if got := len(rows(t, dst, result.Manifest)); got != 5 {
		t.Fatalf("%d rows", got)
	}
	if files := contents(t, dst); len(files) != 3+2 {
		t.Fatalf("%q", slices.Sorted(maps.Keys(files)))
	}
}

// A window is killed at each step: from then on nothing reaches the destination.
// The record survives or not, as after a crash of the machine. The next attempt
// leaves one report, and a third one changes nothing.
func TestKilled(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		for n := 1; ; n++ {
			dst := membucket.New(nil, "b").Bucket("b")
			k := new(kept)
			f := new(faults)
			job := newJob(configuration(stocktake.AllVersions, incremental()...))
			opts := window.Options{Limits: report.Limits{Rows: 2}, Log: quiet, Record: k.record}
			steps := 0
			killed := opts
			killed.Failpoint = func(window.Step) {
				steps++
				f.dead = steps == n
			}
			_, _ = window.Make(t.Context(), &log{changes: history(), fault: f}, destination{dst, f}, job, killed)
			if forgets {
				k.report = nil
			}
			var result window.Result
			for attempt := 2; attempt <= 3; attempt++ {
				job.Attempt, job.Recorded = attempt, k.report
				var err error
				if result, err = window.Make(t.Context(), &log{changes: history()}, dst, job, opts); err != nil {
					t.Fatalf("killed at step %d: %v", n, err)
				}
			}
			checkOne(t, dst, result)
			if steps < n {
				break
			}
		}
	}
}

// TestPlaceIsTaken checks that the report of another window is not touched, and
// that a recorded report with missing files is not completed.
func TestPlaceIsTaken(t *testing.T) {
	dst := membucket.New(nil, "b").Bucket("b")
	job := newJob(configuration(stocktake.AllVersions))
	opts := window.Options{Log: quiet}
	first, err := window.Make(t.Context(), &log{changes: history()}, dst, job, opts)
	if err != nil {
		t.Fatal(err)
	}
	job.Run, job.Subscribed.Sequence = "run-2", 1
	second, err := window.Make(t.Context(), &log{changes: history()}, dst, job, opts)
	if err != nil || second.Manifest == first.Manifest || !strings.Contains(second.Manifest, "T16-0001Z") {
		t.Errorf("%s, %v", second.Manifest, err)
	}
	rows(t, dst, first.Manifest)
	rows(t, dst, second.Manifest)

	lost := membucket.New(nil, "b").Bucket("b")
	k := new(kept)
	opts.Record = k.record
	opts.Failpoint = func(s window.Step) {
		if s == window.Recorded {
			for key := range contents(t, lost) {
				if err := lost.Remove(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := window.Make(t.Context(), &log{changes: history()}, lost, job, opts); !errors.Is(err, window.ErrRecordedLost) {
		t.Errorf("error %v", err)
	}
}

// TestClean checks that the files of a lost attempt are removed, and a complete
// report stays.
func TestClean(t *testing.T) {
	dst := membucket.New(nil, "b").Bucket("b")
	job, f := newJob(configuration(stocktake.AllVersions)), new(faults)
	opts := window.Options{Log: quiet, Record: new(kept).record, Failpoint: func(s window.Step) { f.dead = f.dead || s == window.FileDone }}
	if _, err := window.Make(t.Context(), &log{changes: history()}, destination{dst, f}, job, opts); err == nil || len(contents(t, dst)) == 0 {
		t.Fatalf("%v, %q", err, contents(t, dst))
	}
	if err := window.Clean(t.Context(), dst, job); err != nil || len(contents(t, dst)) > 0 {
		t.Errorf("%v, %q", err, contents(t, dst))
	}
	opts.Failpoint = nil
	if _, err := window.Make(t.Context(), &log{changes: history()}, dst, job, opts); err != nil {
		t.Fatal(err)
	}
	want := contents(t, dst)
	if err := window.Clean(t.Context(), dst, job); err != nil || !maps.Equal(contents(t, dst), want) {
		t.Errorf("%v: a whole report did not stay", err)
	}
}

// TestSummary checks what the summary says of the window.
func TestSummary(t *testing.T) {
	dst := membucket.New(nil, "b").Bucket("b")
	job := newJob(configuration(stocktake.CurrentVersions))
	job.Joined, job.After = stocktake.JournalPosition{Sequence: 1, Time: 5}, stocktake.JournalPosition{Sequence: 2, Time: 6}
	result, err := window.Make(t.Context(), &log{changes: history()}, dst, job, window.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	var s stocktake.Summary
	dir := strings.TrimSuffix(result.Manifest, report.ManifestName)
	if err := json.Unmarshal([]byte(contents(t, dst)[dir+report.SummaryName]), &s); err != nil {
		t.Fatal(err)
	}
	want := stocktake.SummaryWindow{After: job.Joined, Until: stocktake.JournalPosition{Sequence: 6, Time: job.End.UnixMilli()}}
	if s.Window == nil || *s.Window != want || s.Matched != 3 || s.Listed != 4 {
		t.Errorf("%+v, window %+v", s, s.Window)
	}
}

// No row allocates.
func TestChangeAllocatesNothing(t *testing.T) {
	cfg := configuration(stocktake.AllVersions, incremental()...)
	w, err := report.NewChangeWriter("photos", cfg.IncrementalColumns(), report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w.Begin(io.Discard)
	c := change(1, "猫/a.jpg")
	row := stocktake.ChangedRecord{Record: c.Record, Change: stocktake.Change{Sequence: 1, Time: c.Time, RecordType: stocktake.RecordCreate, Requester: c.Requester}}
	if n := testing.AllocsPerRun(10_000, func() {
		if err := w.Write(&row); err != nil {
			t.Fatal(err)
		}
	}); n > 0.1 { // a block to be hashed now and then
		t.Errorf("%v allocations a row", n)
	}
	if _, err := w.End(); err != nil {
		t.Fatal(err)
	}
}
