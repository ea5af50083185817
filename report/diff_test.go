package report_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// changed returns the records after random removals, additions and changes. The versions of a
// key keep their order, except that a new one comes first.
func changed(t *rapid.T, records []stocktake.Record) []stocktake.Record {
	var out []stocktake.Record
	for _, r := range records {
		switch rapid.IntRange(0, 9).Draw(t, "edit") {
		case 0:
			continue
		case 1:
			r.Size++
		case 2:
			r.StorageClass = (r.StorageClass + 1) % stocktake.NumStorageClasses
			r.LastModified++
		case 3:
			n := r
			n.VersionID = append([]byte("new"), r.VersionID...)
			out = append(out, n)
		case 4:
			n := r
			n.Key = append(slices.Clone(r.Key), 0)
			out = append(out, r)
			r = n
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b stocktake.Record) int { return bytes.Compare(a.Key, b.Key) })
	type version struct{ key, id string }
	seen := map[version]bool{}
	return slices.DeleteFunc(out, func(r stocktake.Record) bool { // no version twice
		v := version{string(r.Key), string(r.VersionID)}
		twice := seen[v]
		seen[v] = true
		return twice
	})
}

// A line is a change as text.
func line(c *report.Change) string {
	id := func(r *report.Row) string { return fmt.Sprintf("%q %q", r.Key, r.VersionID) }
	switch c.Kind {
	case report.Added:
		return "+ " + id(c.New)
	case report.Removed:
		return "- " + id(c.Old)
	}
	return fmt.Sprintf("~ %s %v %d>%d", id(c.New), c.What, c.Old.Size, c.New.Size)
}

// lines compares records one by one, in the simplest way.
func lines(before, after []stocktake.Record, columns []stocktake.Field) (all []string) {
	type version struct{ key, id string }
	rows := func(records []stocktake.Record) map[version]stocktake.Record {
		m := map[version]stocktake.Record{}
		for _, r := range records {
			m[version{string(r.Key), string(r.VersionID)}] = r
		}
		return m
	}
	a, b := rows(before), rows(after)
	for v, old := range a {
		if _, ok := b[v]; !ok {
			all = append(all, line(&report.Change{Kind: report.Removed, Old: &report.Row{Record: old}}))
		}
	}
	for v, new := range b {
		old, ok := a[v]
		if !ok {
			all = append(all, line(&report.Change{Kind: report.Added, New: &report.Row{Record: new}}))
			continue
		}
		var what []stocktake.Field
		for _, f := range columns {
			both := old.IsDeleteMarker && new.IsDeleteMarker
			switch f {
			case stocktake.FieldSize:
				if !both && old.Size != new.Size {
					what = append(what, f)
				}
			case stocktake.FieldStorageClass:
				if !both && old.StorageClass != new.StorageClass {
					what = append(what, f)
				}
			case stocktake.FieldLastModifiedDate:
				if old.LastModified != new.LastModified {
					what = append(what, f)
				}
			}
		}
		if what != nil {
			c := report.Change{Kind: report.Changed, Old: &report.Row{Record: old}, New: &report.Row{Record: new}, What: what}
			if old.IsDeleteMarker { // its size has no text
				c.Old.Size, c.New.Size = 0, 0
			}
			all = append(all, line(&c))
		}
	}
	slices.Sort(all)
	return all
}

func diff(t tb, before, after report.Rows, opts report.DiffOptions) ([]string, *report.Comparison) {
	t.Helper()
	var all []string
	var last []byte
	sum, err := report.Diff(t.Context(), before, after, opts, func(c *report.Change) error {
		all = append(all, line(c))
		if bytes.Compare(c.Key(), last) < 0 {
			t.Fatalf("%q comes after %q", c.Key(), last)
		}
		last = bytes.Clone(c.Key())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all, sum
}

// Diff finds the same changes as a comparison record by record, for all formats,
// shards, pieces, parts and goroutines.
func TestDiff(t *testing.T) {
	defer report.SetPartRows(7)()
	rapid.Check(t, func(t *rapid.T) {
		before := membucket.RandomRecords(t, 25, true)
		if !rapid.Bool().Draw(t, "versions") {
			before = slices.CompactFunc(before, func(a, b stocktake.Record) bool { return bytes.Equal(a.Key, b.Key) })
			for i := range before {
				before[i].VersionID = nil
			}
		}
		after := changed(t, before)
		versions := slices.ContainsFunc(before, func(r stocktake.Record) bool { return len(r.VersionID) > 0 })
		columns := allColumns
		if !versions {
			columns = slices.DeleteFunc(slices.Clone(columns), func(f stocktake.Field) bool { return f.Column().Full == stocktake.WithVersions })
			after = slices.CompactFunc(after, func(a, b stocktake.Record) bool { return bytes.Equal(a.Key, b.Key) })
			for i := range after {
				after[i].VersionID = nil
			}
		}
		make := func(records []stocktake.Record) *report.Report {
			f := rapid.SampledFrom(everyFormat()).Draw(t, "format")
			limits := report.Limits{Rows: rapid.Int64Range(1, 40).Draw(t, "rows"), PieceRows: rapid.Int64Range(1, 5).Draw(t, "piece")}
			return writeAs(t, f, membucket.New(nil, "reports").Bucket("reports"), limits, columns, records)
		}
		a, b := make(before), make(after)
		opts := report.DiffOptions{Columns: []stocktake.Field{stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldStorageClass}}
		opts.Goroutines = rapid.IntRange(1, 3).Draw(t, "goroutines")
		got, sum := diff(t, a, b, opts)
		want := lines(before, after, opts.Columns)
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatalf("(-want +got)\n%s", d)
		}
		if sum.OldRows != int64(len(before)) || sum.NewRows != int64(len(after)) || sum.Same+sum.Changed+sum.Removed != sum.OldRows || sum.Same+sum.Changed+sum.Added != sum.NewRows {
			t.Fatalf("%+v of %d and %d rows", sum, len(before), len(after))
		}
		if len(before) == 0 {
			return
		}
		keys := report.KeyRange{From: rapid.SampledFrom(before).Draw(t, "from").Key, To: rapid.SampledFrom(before).Draw(t, "to").Key}
		in := func(records []stocktake.Record) []stocktake.Record {
			return slices.DeleteFunc(slices.Clone(records), func(r stocktake.Record) bool { return !keys.Contains(r.Key) })
		}
		opts.Keys = keys
		got, _ = diff(t, a, b, opts)
		if d := gocmp.Diff(lines(in(before), in(after), opts.Columns), got); d != "" {
			t.Fatalf("from %q to %q (-want +got)\n%s", keys.From, keys.To, d)
		}
	})
}

// The versions of a key may come in any order.
func TestDiffVersionsInAnyOrder(t *testing.T) {
	var before []stocktake.Record
	for i := range 300 {
		before = append(before, stocktake.Record{Key: []byte("k"), VersionID: fmt.Appendf(nil, "v%d", i), Size: int64(i)})
	}
	after := slices.Clone(before)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
	after[100].Size += 7
	version := string(after[100].VersionID)
	a := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 50, PieceRows: 9}, allColumns, before)
	b := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 70, PieceRows: 4}, allColumns, after)
	got, sum := diff(t, a, b, report.DiffOptions{})
	if len(got) != 1 || !bytes.Contains([]byte(got[0]), []byte(version)) || sum.Same != 299 || sum.GrownBytes != 7 {
		t.Errorf("%v, %+v", got, sum)
	}
}

// Any number of versions of one key may be missing, or new after the last one that both reports
// have. Only versions that a later row may still match are kept in memory.
func TestDiffManyVersionsOfOneKey(t *testing.T) {
	defer report.SetWaiting(20)()
	versions := func(from, to int) (list []stocktake.Record) { // the newest first
		for i := to - 1; i >= from; i-- {
			list = append(list, stocktake.Record{Key: []byte("k"), VersionID: fmt.Appendf(nil, "v%03d", i), Size: 1})
		}
		return append(list, stocktake.Record{Key: []byte("l"), VersionID: []byte("v"), Size: 1})
	}
	stored := func(records []stocktake.Record) *report.Report {
		return write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, allColumns, records)
	}
	old := stored(versions(0, 200))
	for name, c := range map[string]struct {
		after                []stocktake.Record
		added, removed, same int64
	}{
		"expired":             {versions(150, 200), 0, 150, 51},
		"expired and written": {versions(150, 210), 10, 150, 51},
		"all replaced by one": {versions(500, 501), 1, 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			after := stored(c.after)
			if _, sum := diff(t, old, after, report.DiffOptions{}); sum.Added != c.added || sum.Removed != c.removed || sum.Same != c.same {
				t.Errorf("%+v", sum)
			}
			if _, sum := diff(t, after, old, report.DiffOptions{}); sum.Added != c.removed || sum.Removed != c.added || sum.Same != c.same {
				t.Errorf("the other way: %+v", sum)
			}
		})
	}
	_, err := report.Diff(t.Context(), old, stored(versions(0, 300)), report.DiffOptions{}, func(*report.Change) error { return nil })
	if err == nil || !strings.Contains(err.Error(), `key "k": too many of its versions differ`) {
		t.Errorf("100 versions that may all match later: %v", err)
	}
}

// If one report has versions and the other does not, the newest versions are compared.
func TestDiffWithAndWithoutVersions(t *testing.T) {
	all := []stocktake.Record{
		{Key: []byte("a"), VersionID: []byte("2"), Size: 2, IsLatest: true},
		{Key: []byte("a"), VersionID: []byte("1"), Size: 1},
		{Key: []byte("b"), VersionID: []byte("2"), IsLatest: true, IsDeleteMarker: true},
		{Key: []byte("b"), VersionID: []byte("1"), Size: 5},
		{Key: []byte("c"), VersionID: []byte("1"), Size: 3, IsLatest: true},
	}
	current := []stocktake.Record{{Key: []byte("a"), Size: 2}, {Key: []byte("c"), Size: 4}}
	a := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, allColumns, all)
	b := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize}, current)
	got, sum := diff(t, a, b, report.DiffOptions{})
	if want := []string{`~ "c" "" [Size] 3>4`}; !slices.Equal(got, want) || sum.OldRows != 2 {
		t.Errorf("%v, want %v; %+v", got, want, sum)
	}
}

// Rows that are out of order, and a wrong index, are errors, not changes.
func TestDiffRefuses(t *testing.T) {
	defer report.SetPartRows(100)()
	records := membucket.UniformRecords(1000)
	good := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 400, PieceRows: 50}, tenColumns, records)
	none := func(*report.Change) error { return nil }

	swapped := slices.Clone(records)
	swapped[10], swapped[900] = swapped[900], swapped[10]
	bad := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, tenColumns, swapped)
	for name, rows := range map[string]report.Rows{"a report of ours": bad, "a listing": list(swapped)} {
		if _, err := report.Diff(t.Context(), rows, list(records), report.DiffOptions{}, none); !errors.Is(err, report.ErrDisorder) {
			t.Errorf("%s in disorder: %v", name, err)
		}
	}

	lying := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 400, PieceRows: 50}, tenColumns, records)
	for i := range lying.Summary.Files {
		for j := range lying.Summary.Files[i].Pieces {
			lying.Summary.Files[i].Pieces[j].FirstKey += "~"
		}
	}
	if _, err := report.Diff(t.Context(), lying, good, report.DiffOptions{}, none); !errors.Is(err, report.ErrIndex) {
		t.Errorf("an index that lies: %v", err)
	}

	boom := errors.New("boom")
	after := slices.Clone(records)
	for i := range after {
		after[i].Size++
	}
	other := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 400, PieceRows: 50}, tenColumns, after)
	if _, err := report.Diff(t.Context(), good, other, report.DiffOptions{}, func(*report.Change) error { return boom }); err != boom {
		t.Errorf("the error of each is %v", err)
	}
	if _, err := report.Diff(t.Context(), good, other, report.DiffOptions{Columns: []stocktake.Field{stocktake.FieldTransitionTime}}, none); err == nil {
		t.Error("a column that the reports do not have: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := report.Diff(ctx, good, other, report.DiffOptions{}, none); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// list is the listing of a bucket: rows that are not a report.
type list []stocktake.Record

func (l list) Source() string             { return "the bucket" }
func (l list) Has(f stocktake.Field) bool { return f != stocktake.FieldCRC64 }

func (l list) Read(_ context.Context, q report.Query) iter.Seq2[*report.Row, error] {
	return func(yield func(*report.Row, error) bool) {
		for _, r := range l {
			if q.Keys.Contains(r.Key) && !yield(&report.Row{Record: r}, nil) {
				return
			}
		}
	}
}

// A report is compared with the rows that it was made from.
func TestDiffAgainstRows(t *testing.T) {
	defer report.SetPartRows(100)()
	records := membucket.UniformRecords(1000)
	r := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 400, PieceRows: 50}, tenColumns, records)
	if got, sum := diff(t, r, list(records), report.DiffOptions{}); len(got) > 0 || !sum.Equal() || sum.Same != 1000 {
		t.Errorf("%v, %+v", got, sum)
	}
	records[500].Size++
	if got, _ := diff(t, list(records), r, report.DiffOptions{}); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// Split covers all keys with ranges of about equally many rows.
func TestSplit(t *testing.T) {
	records := membucket.UniformRecords(10_000)
	r := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{Rows: 2500, PieceRows: 100}, tenColumns, records)
	for _, n := range []int{0, 1, 2, 3, 7, 1000} {
		parts := r.Split(n)
		if len(parts) > max(n, 1) || n < 10 && len(parts) != max(n, 1) {
			t.Errorf("%d parts of %d", len(parts), n)
		}
		var last []byte
		for i, p := range parts {
			if !bytes.Equal(p.From, last) || (len(p.To) == 0) != (i == len(parts)-1) {
				t.Fatalf("part %d is from %q to %q", i, p.From, p.To)
			}
			last = p.To
			rows := 0
			for _, err := range r.Read(t.Context(), report.Query{Keys: p}) {
				if err != nil {
					t.Fatal(err)
				}
				rows++
			}
			if want := len(records) / cmp.Or(n, 1); n < 10 && (rows < want-250 || rows > want+250) {
				t.Errorf("part %d of %d has %d rows", i, n, rows)
			}
		}
	}
}
