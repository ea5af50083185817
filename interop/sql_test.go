package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// The statements of docs/reading.md run unchanged in DuckDB and PostgreSQL, and their
// answers agree with manifest.rollup.
func TestStatementsOfDocs(t *testing.T) {
	docs := readDocs(t)
	t.Run("DuckDB", func(t *testing.T) {
		node := npmInstall(t, "duckdb")
		for _, format := range []string{stocktake.FormatCSV, stocktake.FormatParquet} {
			t.Run(format, func(t *testing.T) {
				w := makeReports(t, format)
				load := docs.statement(t, "DuckDB, "+format+": load all reports")
				docs.check(t, w, func(t *testing.T, statement string) [][]string {
					return duckdb(t, node, w.dir, load+statement)
				})
			})
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		binary := build(t)
		server := testpostgres.Start(t)
		w := makeReports(t, stocktake.FormatCSV)
		server.Query(t, docs.statement(t, "PostgreSQL: make the table"))
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", docs.shell)
		cmd.Dir = w.dir
		cmd.Env = append(append(os.Environ(), server.Env()...), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("load: %v\n%s", err, out)
		}
		docs.check(t, w, func(t *testing.T, statement string) [][]string { return server.Query(t, statement) })
	})
}

// docsSQL are the SQL blocks of docs/reading.md.
type docsSQL struct {
	statements map[string]string // by the comment of their first line
	shell      string
}

func readDocs(t *testing.T) docsSQL {
	t.Helper()
	raw, err := os.ReadFile("../docs/reading.md")
	if err != nil {
		t.Fatal(err)
	}
	d := docsSQL{statements: map[string]string{}}
	for _, block := range strings.Split(string(raw), "```sql\n-- ")[1:] {
		block, _, _ = strings.Cut(block, "```\n")
		name, statement, _ := strings.Cut(block, "\n")
		d.statements[name] = statement
	}
	_, shell, found := strings.Cut(string(raw), "```sh\nfor manifest")
	if !found {
		t.Fatal("docs/reading.md does not say how PostgreSQL loads reports")
	}
	shell, _, _ = strings.Cut("for manifest"+shell, "```\n")
	d.shell = shell
	return d
}

func (d docsSQL) statement(t *testing.T, name string) string {
	t.Helper()
	s, ok := d.statements[name]
	if !ok {
		t.Fatalf("docs/reading.md has no statement %q", name)
	}
	return s
}

// A sqlWorld is a folder of reports, and the roll-ups of the last two.
type sqlWorld struct {
	dir         string
	before, now *rollup.Rollup
}

var sqlTime = time.Date(2026, 1, 12, 16, 0, 0, 0, time.UTC)

// makeReports makes three reports below dir/daily: one a month old, one some days old, and a
// new one.
func makeReports(t *testing.T, format string) sqlWorld {
	t.Helper()
	w := sqlWorld{dir: t.TempDir()}
	folder := filepath.Join(w.dir, "daily")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := dirbucket.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	now := sqlTime
	store := membucket.New(func() time.Time { return now }, "photos")
	job := engine.Job{Attempt: 1, Bucket: "photos", Configuration: stocktake.InventoryConfiguration{
		ID: "daily", IncludedObjectVersions: stocktake.CurrentVersions,
		Destination: stocktake.Destination{Format: format, Bucket: "reports"},
		OptionalFields: []stocktake.Field{
			stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
		},
	}}
	for i, back := range []int{40, 5, 0} {
		now = sqlTime.AddDate(0, 0, -back)
		fillBucket(store.Bucket("photos"), i)
		job.Run = fmt.Sprintf("run-%d", i)
		result, err := engine.Run(t.Context(), store, b.WithBase("photos/daily/"), job, engine.Options{
			Limits: report.Limits{Rows: 70}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := report.Open(t.Context(), b.WithBase("photos/daily/"), result.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		sums, err := r.ReadRollup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.before, w.now = w.now, sums
	}
	return w
}

// fillBucket adds the objects of the report with a given number: objects of all classes, with
// names that need escapes. Their ages are not near a year, where a class of ages would be
// divided.
func fillBucket(b *membucket.Bucket, number int) {
	for i := range 100 * (number + 1) {
		age := time.Duration(i%200) * 24 * time.Hour
		if i%3 == 0 {
			age += 520 * 24 * time.Hour
		}
		etag := stocktake.ParseETag(fmt.Appendf(nil, "%032X", i/2))
		b.Put(stocktake.Record{
			Key:  fmt.Appendf(nil, "%s/%d/猫 %03d%%,\"+.jpg", []string{"raw", "tmp", "web"}[i%3], number, i),
			Size: int64(i/2*1000) * int64(1+i%3/2), ETag: etag, LastModified: sqlTime.Add(-age).Unix(),
			StorageClass: stocktake.StorageClass(i % stocktake.NumStorageClasses),
		})
	}
}

// check runs the queries and compares the answers with the roll-ups.
func (d docsSQL) check(t *testing.T, w sqlWorld, query func(t *testing.T, statement string) [][]string) {
	number := func(s string) int64 {
		n, err := strconv.ParseFloat(s, 64) // a sum may be a decimal
		if err != nil {
			t.Fatal(err)
		}
		return int64(n)
	}
	answer := func(name string) [][]string {
		rows := query(t, d.statement(t, name))
		if len(rows) == 0 {
			t.Fatalf("%s: no rows", name)
		}
		return rows
	}
	var classes []rollup.Class
	for _, row := range answer("Where is the space, by storage class?") {
		classes = append(classes, rollup.Class{StorageClass: row[0], Count: rollup.Count{Objects: number(row[1]), Bytes: number(row[2])}})
	}
	want := slices.Clone(w.now.Classes)
	slices.SortFunc(want, func(a, b rollup.Class) int { return int(b.Bytes - a.Bytes) })
	if !slices.Equal(classes, want) {
		t.Errorf("classes %+v, want %+v", classes, want)
	}

	bytesOf := func(r *rollup.Rollup, prefix string) int64 {
		for _, p := range r.Prefixes {
			if string(p.Prefix) == prefix {
				return p.Bytes
			}
		}
		return 0
	}
	grown := answer("Which prefixes grew most this week?")
	if len(grown) != 3 {
		t.Errorf("prefixes %q", grown)
	}
	last := int64(1) << 62
	for _, row := range grown {
		now, before := bytesOf(w.now, row[0]), bytesOf(w.before, row[0])
		if number(row[1]) != now || number(row[2]) != now-before || now-before > last {
			t.Errorf("prefix %s: %s bytes, grown by %s, want %d, %d", row[0], row[1], row[2], now, now-before)
		}
		last = now - before
	}

	var old rollup.Count
	for _, row := range answer("Which objects are older than a year and not in Archive?") {
		if !strings.Contains(row[0], "/猫 ") {
			t.Errorf("key %q is not decoded", row[0])
		}
		old.Objects++
		old.Bytes += number(row[1])
	}
	var wantOld rollup.Count
	for _, a := range w.now.Ages {
		if a.From >= 512 && (a.StorageClass == "Standard" || a.StorageClass == "IA") {
			wantOld.Objects += a.Objects
			wantOld.Bytes += a.Bytes
		}
	}
	if old != wantOld {
		t.Errorf("older than a year are %+v, want %+v", old, wantOld)
	}

	var copies int64
	for _, row := range answer("Which objects have the same content, by ETag and size?") {
		if number(row[3]) != (number(row[2])-1)*number(row[1]) {
			t.Errorf("duplicates %q", row)
		}
		copies += number(row[2])
	}
	if copies == 0 || copies > w.now.Objects {
		t.Errorf("%d copies of %d objects", copies, w.now.Objects)
	}
}

// duckdb runs statements in dir and returns the rows of the last one.
func duckdb(t *testing.T, node, dir, statements string) (rows [][]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(node, "query.mjs"))
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(statements)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("duckdb: %v\n%s\n%s", err, stderr.Bytes(), statements)
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatalf("duckdb: %v\n%s", err, out)
	}
	return rows
}
