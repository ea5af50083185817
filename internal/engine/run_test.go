package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz/csvgztest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// selects implements the filter in its simplest form.
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
		(len(f.StorageClass) == 0 || slices.Contains(f.StorageClass, ossClass(r.StorageClass)))
}

// ossClass returns the class of OSS that selects a class.
func ossClass(c stocktake.StorageClass) stocktake.StorageClass {
	switch c {
	case stocktake.S3Standard:
		return stocktake.Standard
	case stocktake.S3DeepArchive:
		return stocktake.ColdArchive
	}
	return c
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

// A run reports exactly the records that its configuration selects, in order, for any
// filter, columns, number of workers and size of shards.
func TestRunReportsWhatIsSelected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.Bool().Draw(t, "versions")
		records := membucket.RandomRecords(t, 25, versions)
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
		enc, err := csvrow.NewEncoder("photos", cfg.Columns())
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
			s.Bucket != "photos" || s.Configuration != "weekly-1" || s.Run != "run-1" || s.Consistency != stocktake.ConsistencySnapshot {
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

// rowsOf returns the rows of a report unchanged.
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

// With a seed, runs over the same data write the same files, for any number of cores
// and any earlier reports.
func TestSeed(t *testing.T) {
	records := membucket.UniformRecords(300)
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
				t.Errorf("another seed writes the same %s", key)
			}
		}
	}
	// A repetition into the same place is the same run.
	dst := empty()
	first := run("s", 1, anonymous, dst)
	if diff := cmp.Diff(first, run("s", 2, anonymous, dst)); diff != "" {
		t.Errorf("into the same place (-first +second):\n%s", diff)
	}
}

// The golden report is a report as its bucket holds it, byte by byte.
func TestGolden(t *testing.T) {
	store := membucket.New(nil, "photos", "reports")
	photos := store.Bucket("photos")
	photos.Load(
		stocktake.Record{
			Key: []byte("2026/01/a b.jpg"), VersionID: []byte("v3"), IsLatest: true, Size: 102400, LastModified: 1767582245,
			ETag: stocktake.ParseETag([]byte("9E107D9D372BB6826BD81D3542A419D6")), HasCRC64: true, CRC64: 12345678901234567890,
		},
		stocktake.Record{
			Key: []byte("2026/01/a b.jpg"), VersionID: []byte("v2"), IsDeleteMarker: true, LastModified: 1767582000,
		},
		stocktake.Record{
			Key: []byte("2026/01/a b.jpg"), VersionID: []byte("null"), Size: 5, LastModified: 1735689600,
			ETag: stocktake.ParseETag([]byte("D41D8CD98F00B204E9800998ECF8427E-2")), StorageClass: stocktake.ColdArchive, TransitionTime: 1738368000,
			Type: stocktake.Multipart, Multipart: true, Encrypted: true, TaggingCount: 2, ACL: stocktake.Private,
		},
		stocktake.Record{
			Key: []byte("猫,\"\n/ +%.jpg"), VersionID: []byte("v9"), IsLatest: true, LastModified: 1767582246,
			ETag: stocktake.ParseETag([]byte("0CC175B9C0F1B6A831C399E269772661")), Type: stocktake.Symlink,
		},
	)
	job := newJob(func(c *stocktake.InventoryConfiguration) {
		c.IncludedObjectVersions = stocktake.AllVersions
		c.OptionalFields = append(slices.Clone(allColumns), stocktake.FieldTransitionTime, stocktake.FieldLastAccessDate)
	})
	job.Seed = "golden"
	dst := store.Bucket("reports")
	// The plain encoder is used, so that the golden bytes do not change with
	// improvements of the compression.
	opts := engine.Options{Limits: report.Limits{Rows: 3, PieceRows: 2}, Format: csvgztest.Plain, Log: quiet}
	if _, err := engine.Run(t.Context(), store, dst, job, opts); err != nil {
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

// The pages of the formats show the golden report unchanged.
func TestFormatPages(t *testing.T) {
	page := func(name string) string {
		raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	shown := page("report.md")
	broken := map[string]string{report.SummaryName: page("summary.md"), report.RollupName: page("rollup.md")}
	err := filepath.WalkDir(filepath.Join("testdata", "golden"), func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".gz") {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if page, ok := broken[filepath.Base(name)]; ok {
			var lines bytes.Buffer
			if err := json.Indent(&lines, raw, "", "  "); err != nil {
				return err
			}
			if !strings.Contains(page, "\n"+lines.String()+"\n") {
				t.Errorf("no page shows %s broken into lines", name)
			}
			return nil
		}
		if !strings.Contains(shown, "\n"+strings.TrimSuffix(string(raw), "\n")+"\n") {
			t.Errorf("report.md does not show %s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read reads a whole object.
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

// A report in any format is complete, and its shards state their origin if the format
// has a place for it.
func TestEveryFormat(t *testing.T) {
	for _, f := range report.Formats() {
		t.Run(f.Name(), func(t *testing.T) {
			store := newStore(objects)
			dst := store.Bucket("reports")
			job := newJob(func(c *stocktake.InventoryConfiguration) { c.Destination.Format = f.Name() })
			result, err := engine.Run(t.Context(), store, dst, job, small)
			if err != nil {
				t.Fatal(err)
			}
			checkWhole(t, dst, result.Manifest, result.Summary.Matched)
			for _, file := range result.Summary.Files {
				if !strings.HasSuffix(file.Key, f.Suffix()) {
					t.Errorf("shard %s does not end with %s", file.Key, f.Suffix())
				}
			}
		})
	}
}
