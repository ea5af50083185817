package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz"
)

// series is a full report and three incremental reports that follow it. A test changes it
// before it is written.
type series struct {
	columns, incremental []stocktake.Field
	rows                 []stocktake.Record

	full    stocktake.Summary // Journal and Filter
	windows []seriesWindow
}

type seriesWindow struct {
	about   stocktake.SummaryWindow
	columns []stocktake.Field // nil: those of the series
	gaps    []stocktake.JournalGap
	changes []stocktake.ChangedRecord
}

// newSeries returns a series of current versions, or of all versions. The full report contains
// the changes up to 10, in the middle of the first window. The windows end at changes 20, 30
// and 40, and the journal begins at 5.
func newSeries(versions bool) *series {
	s := &series{
		columns:     []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey},
		incremental: []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey},
		rows:        []stocktake.Record{{Key: []byte("a"), IsLatest: true, Size: 1}, {Key: []byte("b"), IsLatest: true, Size: 2}},
		full:        stocktake.Summary{Journal: &stocktake.JournalPosition{Sequence: 10, Time: start * 1000}, Filter: &stocktake.Filter{Prefix: ""}},
	}
	if versions {
		s.columns = append(s.columns, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker)
		s.incremental = append(s.incremental, stocktake.FieldVersionID, stocktake.FieldIsDeleteMarker)
	}
	s.columns = append(s.columns, stocktake.FieldSize)
	s.incremental = append(s.incremental, stocktake.FieldSequenceNumber, stocktake.FieldRecordType, stocktake.FieldRecordTimestamp, stocktake.FieldSize)
	at := func(n uint64) stocktake.JournalPosition {
		return stocktake.JournalPosition{Sequence: n, Time: start*1000 + int64(n)}
	}
	create := func(n uint64, key string, size int64) stocktake.ChangedRecord {
		return stocktake.ChangedRecord{
			Change: stocktake.Change{Sequence: n, Time: start*1000 + int64(n), RecordType: stocktake.RecordCreate},
			Record: stocktake.Record{Key: []byte(key), Size: size},
		}
	}
	gone := create(35, "b", 0)
	gone.RecordType, gone.Permanent = stocktake.RecordDelete, true
	for i, changes := range [][]stocktake.ChangedRecord{{create(9, "a", 1), create(12, "c", 3)}, {create(21, "c", 30)}, {gone, create(40, "d", 4)}} {
		w := seriesWindow{changes: changes}
		w.about = stocktake.SummaryWindow{After: at(uint64(i)*10 + 10), Until: at(uint64(i)*10 + 20), Subscribed: stocktake.JournalPosition{Sequence: 5, Time: start*1000 - 5}}
		s.windows = append(s.windows, w)
	}
	s.windows[0].about.After = at(8)
	return s
}

// windowDirectory returns the directory of the n-th window.
func windowDirectory(i int) string {
	return fmt.Sprintf("photos/weekly-1/incremental_inventory/2026-01-05T16-%d000Z/", i)
}

// write writes the reports and opens them.
func (s *series) write(t tb) (full *report.Report, windows []*report.Report) {
	t.Helper()
	dst := membucket.New(nil, "b").Bucket("b")
	full = writeAs(t, csvgz.Format, dst, report.Limits{}, s.columns, s.rows)
	full.Summary.Journal, full.Summary.Filter = s.full.Journal, s.full.Filter
	for i, w := range s.windows {
		windows = append(windows, s.writeWindow(t, dst, windowDirectory(i), &w))
	}
	return full, windows
}

func (s *series) writeWindow(t tb, dst *membucket.Bucket, dir string, w *seriesWindow) *report.Report {
	t.Helper()
	columns := w.columns
	if columns == nil {
		columns = s.incremental
	}
	out, err := report.NewChangeWriter("photos", columns, report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	file := &object{dst: dst, key: dir + "data/x_0.csv"}
	out.Begin(file)
	for i := range w.changes {
		if err := out.Write(&w.changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	shard, err := out.End()
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	shard.Key = file.key
	m := stocktake.Manifest{
		StartTimestamp: start, EndTimestamp: start + 600, DestinationBucket: "reports", FileFormat: stocktake.FormatCSV,
		FileSchema: stocktake.FileSchema(columns), SourceBucket: "photos", Version: stocktake.ManifestVersionIncremental, Gaps: w.gaps,
		Files: []stocktake.ManifestFile{{MD5: shard.MD5, Key: shard.Key, Size: shard.Size}},
	}
	about, err := json.Marshal(stocktake.Summary{
		Version: stocktake.SummaryVersion, Bucket: "photos", Configuration: "weekly-1", Run: "run-2", Consistency: stocktake.ConsistencySnapshot,
		Matched: shard.Rows, Files: []stocktake.SummaryFile{shard.SummaryFile}, Window: &w.about, Gaps: w.gaps,
	})
	if err != nil {
		t.Fatal(err)
	}
	dst.Write(dir+report.SummaryName, about)
	dst.Write(dir+report.ManifestName, m.AppendJSON(nil))
	r, err := report.Open(t.Context(), dst, dir+report.ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sizes applies the windows and returns the keys and sizes of the result.
func sizes(t tb, a *report.Applied) string {
	t.Helper()
	var all []string
	for row, err := range a.Report().Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s=%d", row.Key, row.Size))
	}
	return strings.Join(all, " ")
}

// without returns columns without one.
func without(columns []stocktake.Field, f stocktake.Field) []stocktake.Field {
	return slices.DeleteFunc(slices.Clone(columns), func(c stocktake.Field) bool { return c == f })
}

// TestApply applies windows in any order, and some of them twice.
func TestApply(t *testing.T) {
	for _, versions := range []bool{false, true} {
		full, w := newSeries(versions).write(t)
		for _, c := range []struct {
			windows []*report.Report
			want    string
		}{
			{w, "a=1 c=30 d=4"},
			{[]*report.Report{w[2], w[0], w[1], w[0]}, "a=1 c=30 d=4"},
			{w[:1], "a=1 b=2 c=3"},
			{w[:2], "a=1 b=2 c=30"},
		} {
			a, err := report.Apply(t.Context(), full, c.windows, report.ApplyOptions{Folder: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if got := sizes(t, a); got != c.want {
				t.Errorf("versions %t, %d windows: %s, want %s", versions, len(c.windows), got, c.want)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A window that the full report already contains is skipped, even if it lacks something.
func TestApplyPassesOver(t *testing.T) {
	s := newSeries(false)
	s.full.Journal.Sequence = 20
	s.windows[0].gaps = []stocktake.JournalGap{{After: 8, Until: 20, Changes: 12}}
	s.windows[0].columns = without(s.incremental, stocktake.FieldSize)
	// A gap that ends at or before the full report does not matter.
	s.windows[1].gaps = []stocktake.JournalGap{{After: 15, Until: 20}}
	full, windows := s.write(t)
	a, err := report.Apply(t.Context(), full, windows, report.ApplyOptions{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if got := sizes(t, a); got != "a=1 c=30 d=4" {
		t.Error(got)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// A window without changes is ordered after the previous one, whatever its name. A window from
// two places counts once.
func TestApplyEmptyAndRepeatedWindows(t *testing.T) {
	s := newSeries(false)
	empty := seriesWindow{about: s.windows[0].about}
	empty.about.After = empty.about.Until
	empty.about.Until.Time++
	s.windows = slices.Insert(s.windows, 0, empty) // the first by its key
	full, windows := s.write(t)
	again := *windows[1]
	again.Key = "copy/" + again.Key
	a, err := report.Apply(t.Context(), full, append(windows, &again), report.ApplyOptions{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got, want := sizes(t, a), "a=1 c=30 d=4"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestApplyNothing: without a window that comes after the full report, the result is
// the full report.
func TestApplyNothing(t *testing.T) {
	for _, versions := range []bool{false, true} {
		s := newSeries(versions)
		s.windows = s.windows[:1]
		s.windows[0].about.After.Sequence, s.windows[0].about.Until.Sequence = 8, 10
		full, windows := s.write(t)
		for _, some := range [][]*report.Report{nil, windows} {
			a, err := report.Apply(t.Context(), full, some, report.ApplyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if a.Windows() != 0 || len(a.Dropped()) > 0 || a.Report() != full {
				t.Errorf("of %d windows %d count, without columns %v", len(some), a.Windows(), a.Dropped())
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestChangesAreNotATable: functions that need a table refuse a report of changes.
func TestChangesAreNotATable(t *testing.T) {
	full, windows := newSeries(false).write(t)
	_, convert := report.Convert(t.Context(), windows[0], nil, report.ConvertOptions{})
	_, before := report.Diff(t.Context(), windows[0], full, report.DiffOptions{}, nil)
	_, after := report.Diff(t.Context(), full, windows[0], report.DiffOptions{}, nil)
	_, sums := windows[0].AddUp(t.Context(), report.AddUpOptions{})
	for what, err := range map[string]error{"convert": convert, "diff before": before, "diff after": after, "add up": sums} {
		if !errors.Is(err, report.ErrNotApplicable) || !strings.Contains(err.Error(), windows[0].Key) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestApplyRefuses changes one property of a valid series, and expects a specific error that
// names the report and its fault.
func TestApplyRefuses(t *testing.T) {
	w0, w1, w2 := windowDirectory(0)+report.ManifestName, windowDirectory(1)+report.ManifestName, windowDirectory(2)+report.ManifestName
	whole := directory + report.ManifestName
	type opened = func(full *report.Report, w []*report.Report) (*report.Report, []*report.Report)
	type written = func(s *series)
	for _, c := range []struct {
		name     string
		versions bool
		change   any // written or opened
		is       error
		words    []string
	}{
		{
			"the first window is missing", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) { return f, w[1:] }),
			report.ErrNotJoined,
			[]string{"a window is missing before " + w1, "up to 10", "after 20"},
		},
		{"a window is missing between", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) {
			return f, []*report.Report{w[2], w[0]}
		}), report.ErrNotJoined, []string{"a window is missing between " + w0 + ", which ends at 20", w2 + ", which begins after 30"}},
		{
			"windows overlap", false, written(func(s *series) { s.windows[1].about.After.Sequence = 19 }),
			report.ErrNotJoined,
			[]string{w0, w1, "ends at 20", "begins after 19"},
		},
		{"of another configuration", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) {
			w[1].Summary.Configuration = "hourly"
			return f, w
		}), report.ErrNotJoined, []string{w1, "hourly", "weekly-1"}},
		{"of another bucket", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) {
			w[2].Summary.Bucket = "music"
			return f, w
		}), report.ErrNotJoined, []string{w2, "music", "photos"}},
		{"put again after the full report", false, written(func(s *series) {
			for i := range s.windows {
				s.windows[i].about.Subscribed.Sequence = 11
			}
		}), report.ErrNotJoined, []string{whole, "put after the full report was made"}},
		{"put again without a change between", false, written(func(s *series) {
			for i := range s.windows {
				s.windows[i].about.Subscribed = stocktake.JournalPosition{Sequence: 10, Time: start*1000 + 1}
			}
		}), report.ErrNotJoined, []string{whole, "put after the full report was made"}},
		{"put again between windows", false, written(func(s *series) {
			s.windows[2].about.Subscribed = stocktake.JournalPosition{Sequence: 30, Time: start*1000 + 30}
		}), report.ErrNotJoined, []string{w2, "put again after " + w1}},
		{
			"other columns", false, written(func(s *series) { s.windows[1].columns = without(s.incremental, stocktake.FieldSize) }),
			report.ErrNotJoined,
			[]string{w1, "columns are not those of " + w0},
		},
		{
			"a gap", false, written(func(s *series) { s.windows[1].gaps = []stocktake.JournalGap{{After: 22, Until: 25, Changes: 3}} }),
			report.ErrLost,
			[]string{w1, "after 22 up to 25", "begin with a later full report"},
		},
		{
			"a gap across the full report", false, written(func(s *series) { s.windows[0].gaps = []stocktake.JournalGap{{After: 8, Until: 11}} }),
			report.ErrLost,
			[]string{w0, "after 8 up to 11"},
		},
		{
			"windows as the full report", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) { return w[0], w[1:] }),
			report.ErrNotApplicable,
			[]string{w0, "name a full report first"},
		},
		{"a full report as a window", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) {
			return f, append(w, f)
		}), report.ErrNotApplicable, []string{whole, "it is a full report"}},
		{"a full report without a summary", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) {
			f.Summary = nil
			return f, w
		}), report.ErrNotApplicable, []string{whole, "where the journal of the bucket stood"}},
		{
			"a full report before there was a journal", false, written(func(s *series) { s.full.Journal = nil }),
			report.ErrNotApplicable,
			[]string{whole, "before the configuration had incremental reports"},
		},
		{
			"a full report whose filter is not known", false, written(func(s *series) { s.full.Filter = nil }),
			report.ErrNotApplicable,
			[]string{whole},
		},
		{"a window without a summary", false, opened(func(f *report.Report, w []*report.Report) (*report.Report, []*report.Report) {
			w[1].Summary = nil
			return f, w
		}), report.ErrNotApplicable, []string{w1, "no summary"}},
		{
			"no sequence numbers", false, written(func(s *series) { s.incremental = without(s.incremental, stocktake.FieldSequenceNumber) }),
			report.ErrNotApplicable,
			[]string{w0, "lack the column SequenceNumber"},
		},
		{
			"no record types", true, written(func(s *series) { s.incremental = without(s.incremental, stocktake.FieldRecordType) }),
			report.ErrNotApplicable,
			[]string{w0, "lack the column RecordType"},
		},
		{"windows of current versions", true, written(func(s *series) {
			s.incremental = without(without(s.incremental, stocktake.FieldVersionID), stocktake.FieldIsDeleteMarker)
		}), report.ErrNotApplicable, []string{w0, "lack the column VersionId"}},
		{
			"filtered by class", false, written(func(s *series) { s.full.Filter.StorageClass = []stocktake.StorageClass{stocktake.Standard} }),
			report.ErrNotApplicable,
			[]string{w0, "filters by storage class", "lack the column StorageClass"},
		},
		{"filtered by size", false, written(func(s *series) {
			s.full.Filter.LowerSizeBound = 1
			s.incremental = without(s.incremental, stocktake.FieldSize)
		}), report.ErrNotApplicable, []string{w0, "filters by size", "lack the column Size"}},
		{
			"filtered by time", false, written(func(s *series) { s.full.Filter.LastModifyEndTimeStamp = start }),
			report.ErrNotApplicable,
			[]string{w0, "filters by time of modification", "lack the column LastModifiedDate"},
		},
		{
			"all versions, filtered", true, written(func(s *series) { s.full.Filter.UpperSizeBound = 100 }),
			report.ErrNotApplicable,
			[]string{w0, "filters versions by size", "the latest version is unknown"},
		},
		{"an update of a version that is not there", true, written(func(s *series) {
			c := &s.windows[1].changes[0]
			c.RecordType, c.VersionID = stocktake.RecordUpdateMetadata, []byte("v7")
		}), report.ErrNotJoined, []string{"change 21", `version "v7" of "c"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSeries(c.versions)
			if change, ok := c.change.(written); ok {
				change(s)
			}
			full, windows := s.write(t)
			if change, ok := c.change.(opened); ok {
				full, windows = change(full, windows)
			}
			folder := t.TempDir()
			a, err := report.Apply(t.Context(), full, windows, report.ApplyOptions{Folder: folder})
			if err == nil { // only the rows can tell
				for _, e := range a.Report().Rows(t.Context()) {
					err = errors.Join(err, e)
				}
				if e := a.Close(); e != nil {
					t.Error(e)
				}
			}
			for _, is := range []error{report.ErrNotJoined, report.ErrLost, report.ErrNotApplicable} {
				if errors.Is(err, is) != (is == c.is) {
					t.Errorf("%v: is %v: %t", err, is, errors.Is(err, is))
				}
			}
			for _, word := range c.words {
				if !strings.Contains(fmt.Sprint(err), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("files remain: %v, %v", left, err)
			}
		})
	}
}
