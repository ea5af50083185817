package report_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// target is a bucket in memory that Convert writes to. It counts writes from 1 and fails one of
// them; 0: none fails.
type target struct {
	*membucket.Bucket
	fails int
}

var errWrite = errors.New("the disk is full")

func (b *target) Create(ctx context.Context, key, contentType string, exclusive bool) (report.TargetFile, error) {
	f, err := b.Bucket.Create(ctx, key, engine.FileOptions{ContentType: contentType, Exclusive: exclusive})
	return &targetFile{f, b}, err
}

type targetFile struct {
	engine.File
	b *target
}

func (f *targetFile) Write(p []byte) (int, error) {
	if f.b.fails--; f.b.fails == 0 {
		return 0, errWrite
	}
	return f.File.Write(p)
}

func (f *targetFile) Commit(ctx context.Context, md5 [16]byte) error {
	if f.b.fails--; f.b.fails == 0 {
		return errWrite
	}
	return f.File.Commit(ctx, md5)
}

func newTarget() *target { return &target{Bucket: membucket.New(nil, "reports").Bucket("reports")} }

func keysOf(t tb, b report.Bucket) (keys []string) {
	t.Helper()
	for key, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// A converted report passes every check and has the same rows, in any format, with any columns
// and any part of the rows.
func TestConvert(t *testing.T) {
	defer report.SetPartRows(9)()
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 25, true)
		format := func() report.Format { return rapid.SampledFrom(everyFormat()).Draw(t, "format") }
		limits := func() report.Limits {
			return report.Limits{Rows: rapid.Int64Range(1, 40).Draw(t, "rows"), PieceRows: rapid.Int64Range(1, 5).Draw(t, "piece")}
		}
		from := writeAs(t, format(), membucket.New(nil, "reports").Bucket("reports"), limits(), allColumns, records)
		opts := report.ConvertOptions{Format: format(), Limits: limits(), Base: "x/y/", Bucket: "other", Goroutines: rapid.IntRange(1, 3).Draw(t, "goroutines")}
		if rapid.Bool().Draw(t, "few columns") {
			opts.Columns = []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker, stocktake.FieldSize}
		}
		kept := records
		if rapid.Bool().Draw(t, "some rows") && len(records) > 0 {
			opts.Keys.From = rapid.SampledFrom(records).Draw(t, "from").Key
			m := stocktake.NewMatcher(stocktake.Filter{LowerSizeBound: 100}, false)
			opts.Match = &m
			kept = slices.DeleteFunc(slices.Clone(records), func(r stocktake.Record) bool {
				return bytes.Compare(r.Key, opts.Keys.From) < 0 || !m.Match(&r)
			})
		}
		if rapid.Bool().Draw(t, "without summary") {
			from.Summary = nil
		}
		to := newTarget()
		manifest, err := report.Convert(t.Context(), from, to, opts)
		if err != nil {
			t.Fatal(err)
		}
		if manifest != "x/y/2026-01-05T16-00Z/manifest.json" {
			t.Fatal(manifest)
		}
		v, err := report.Verify(t.Context(), to, manifest, report.VerifyOptions{})
		if err != nil || !v.OK || v.Rows != int64(len(kept)) {
			t.Fatalf("%v, %+v", err, v)
		}
		r, err := report.Open(t.Context(), to, manifest)
		if err != nil {
			t.Fatal(err)
		}
		if opts.Match == nil && r.Summary.Matched != int64(len(records)) && opts.Keys.From == nil {
			t.Fatalf("%+v", r.Summary)
		}
		var shards string
		for _, f := range r.Manifest.Files {
			shards += "oss://other/" + f.Key + "\n"
		}
		if got := string(body(t, to, "x/y/hive/dt=2026-01-05-16-00/symlink.txt")); got != shards {
			t.Fatalf("symlink.txt is %q, want %q", got, shards)
		}
		// The rows are compared with the expected rows, not with the report.
		want := writeAs(t, format(), membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, allColumns, kept)
		if lines, _ := diff(t, want, r, report.DiffOptions{}); len(lines) > 0 {
			t.Fatalf("%v", lines)
		}
	})
}

// If a write fails, no file is left behind.
func TestConvertFails(t *testing.T) {
	from := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{PieceRows: 100}, tenColumns, membucket.UniformRecords(1000))
	for n := 1; ; n++ {
		to := newTarget()
		to.fails = n
		_, err := report.Convert(t.Context(), from, to, report.ConvertOptions{Limits: report.Limits{Rows: 400}})
		if err == nil {
			if n < 6 {
				t.Errorf("only %d writes", n)
			}
			break
		}
		if !errors.Is(err, errWrite) {
			t.Errorf("write %d: %v", n, err)
		}
		if left := keysOf(t, to); len(left) > 0 {
			t.Errorf("write %d leaves %q", n, left)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	records := membucket.UniformRecords(100)
	from := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, tenColumns, records)
	to := newTarget()
	if _, err := report.Convert(t.Context(), from, to, report.ConvertOptions{}); err != nil {
		t.Fatal(err)
	}
	before := keysOf(t, to)
	if _, err := report.Convert(t.Context(), from, to, report.ConvertOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a report that exists: %v", err)
	}
	if !slices.Equal(before, keysOf(t, to)) {
		t.Errorf("%q became %q", before, keysOf(t, to))
	}
	if _, err := report.Convert(t.Context(), from, newTarget(), report.ConvertOptions{Columns: allColumns}); err == nil {
		t.Error("columns that the report does not have: no error")
	}
	slices.Reverse(records)
	disorder := write(t, membucket.New(nil, "reports").Bucket("reports"), report.Limits{}, tenColumns, records)
	to = newTarget()
	if _, err := report.Convert(t.Context(), disorder, to, report.ConvertOptions{}); !errors.Is(err, report.ErrDisorder) || len(keysOf(t, to)) > 0 {
		t.Errorf("rows in disorder: %v, %q", err, keysOf(t, to))
	}
}
