package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

// exportsCommand measures a run beside the exports of databases that hold the
// same rows.
func exportsCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("exports", flag.ContinueOnError)
	objects := flags.Int("objects", 10_000_000, "objects in the bucket, rows in the databases")
	count := flags.Int("count", 3, "how often each export is measured, in turn; the median counts")
	dir := flags.String("dir", os.TempDir(), "folder for the stores, which are removed in the end; 10^7 objects take 12 GB")
	postgres := flags.String("postgres", "/usr/lib/postgresql/15/bin", "folder of PostgreSQL's programs; empty: it is left out")
	duckdb := flags.Bool("duckdb", true, "measure DuckDB, which takes cgo and a build of a minute")
	results := flags.String("results", "results", "folder for the figures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *count < 1 || *objects < 1 {
		return errors.New("-count and -objects: at least 1")
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := os.Chmod(work, 0o755); err != nil { // PostgreSQL may run as somebody else
		return err
	}
	b := exportsBench{objects: *objects, work: work, samples: map[string][]float64{}}
	b.results = measure.Results{Date: time.Now(), Args: shown(flags)}
	if b.results.Host, err = measure.ThisHost(ctx, work, "."); err != nil {
		return err
	}
	if err := b.stocktake(ctx, *count); err != nil {
		return err
	}
	if *postgres != "" {
		if err := b.postgres(ctx, *postgres, *count); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
	}
	if *duckdb {
		if err := b.duckdb(ctx, *count); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
	}
	b.compare()
	path, err := b.results.Save(*results, "exports")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

type exportsBench struct {
	objects int
	work    string
	names   []string
	samples map[string][]float64 // objects/s
	results measure.Results
}

func (b *exportsBench) add(name string, took time.Duration) {
	rate := float64(b.objects) / took.Seconds()
	if b.samples[name] == nil {
		b.names = append(b.names, name)
	}
	b.samples[name] = append(b.samples[name], rate)
	line := measure.Result{Name: fmt.Sprintf("%s/objects=%d", name, b.objects), Time: took, Figures: []measure.Figure{{Value: rate, Unit: "objects/s"}}}
	b.results.Lines = append(b.results.Lines, line)
	fmt.Fprintf(os.Stderr, "%s: %v %v\n", line.Name, took.Round(time.Millisecond), line.Figures)
}

func (b *exportsBench) rows() string { return filepath.Join(b.work, "rows.csv") }

// stocktake makes runs and leaves the rows of the last one in a file.
func (b *exportsBench) stocktake(ctx context.Context, count int) (err error) {
	data := filepath.Join(b.work, "data")
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	binary, err := testserver.Build(ctx, b.work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return err
	}
	if err := seed(ctx, data, lakeBucket, b.objects); err != nil {
		return err
	}
	server, err := testserver.Start(ctx, testserver.Config{Binary: binary, Data: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	c := cli{binary: binary, server: server}
	if _, err := c.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(reportsBucket)}); err != nil {
		return err
	}
	if _, err := c.run(ctx, "inventory", "put", "--disabled", "-b", lakeBucket, "-i", "bench",
		"--destination", reportsBucket, "--fields", allFields); err != nil {
		return err
	}
	var run stocktake.Run
	for range count {
		out, err := c.run(ctx, "inventory", "run", "--wait", "--json", "-b", lakeBucket, "-i", "bench")
		if err != nil {
			return err
		}
		run = stocktake.Run{}
		if err := json.Unmarshal(out, &run); err != nil {
			return fmt.Errorf("stocktake inventory run: %w\n%s", err, out)
		}
		if run.State != stocktake.Succeeded || run.Matched != int64(b.objects) {
			return fmt.Errorf("run %s with %d of %d objects: %s", run.State, run.Matched, b.objects, run.Reason)
		}
		b.add("Stocktake", run.Ended.Sub(run.Started))
	}
	return b.keepRows(ctx, c, run.Destination, run.Manifest)
}

// keepRows writes the rows of a report to a file.
func (b *exportsBench) keepRows(ctx context.Context, c cli, bucket, key string) (err error) {
	f, err := os.Create(b.rows())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := c.get(ctx, bucket, key)
	if err != nil {
		return err
	}
	var manifest struct {
		Files []struct {
			Key string `json:"key"`
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	for _, file := range manifest.Files {
		stored, err := c.get(ctx, bucket, file.Key)
		if err != nil {
			return err
		}
		rows, err := inflate(stored)
		if err != nil {
			return err
		}
		if _, err := f.Write(rows); err != nil {
			return err
		}
	}
	return nil
}

// duckdb measures DuckDB's COPY TO.
func (b *exportsBench) duckdb(ctx context.Context, count int) error {
	binary := filepath.Join(b.work, "duckdb")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = "duckdb"
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for range count {
		db := filepath.Join(b.work, "rows.duckdb")
		out, err := output(exec.CommandContext(ctx, binary, b.rows(), db, filepath.Join(b.work, "duckdb.csv.gz")))
		if err != nil {
			return err
		}
		var took, cpu float64
		if _, err := fmt.Sscan(string(out), &took, &cpu); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		b.add("DuckDB/copy-to-gzip-csv", time.Duration(took*float64(time.Second)))
		if err := os.Remove(db); err != nil {
			return err
		}
	}
	return nil
}

// postgres measures PostgreSQL's COPY TO, compressed by gzip -1: one process
// for each of two cores.
func (b *exportsBench) postgres(ctx context.Context, bin string, count int) (err error) {
	db := postgres{bin: bin, dir: filepath.Join(b.work, "postgres")}
	if err := db.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.stop()) }()
	for _, statement := range []string{
		`CREATE UNLOGGED TABLE rows (bucket text, key text, ` + strings.Join(postgresColumns, ", ") + `)`,
		`COPY rows FROM '` + b.rows() + `' (FORMAT csv)`,
		`VACUUM (FREEZE, ANALYZE) rows`,
	} {
		if _, err := db.query(ctx, statement); err != nil {
			return err
		}
	}
	out := filepath.Join(db.dir, "rows.csv.gz")
	for range count {
		start := time.Now()
		if _, err := db.query(ctx, `COPY rows TO PROGRAM 'gzip -1 > `+out+`' (FORMAT csv)`); err != nil {
			return err
		}
		b.add("PostgreSQL/copy-to-program-gzip-1", time.Since(start))
	}
	return nil
}

// postgresColumns are the optional columns of allFields.
var postgresColumns = []string{
	"size bigint", "modified text", "etag text", "class text", "multipart boolean", "encrypted boolean",
	"acl text", "tags smallint", "type text", "crc64 numeric",
}

// compare fills in the ratios: ours over each of the others'.
func (b *exportsBench) compare() {
	for _, name := range b.names[1:] {
		b.results.Ratios = append(b.results.Ratios, measure.Ratio{
			Name: name, Value: measure.Median(b.samples[b.names[0]]) / measure.Median(b.samples[name]),
			Says: fmt.Sprintf("objects a second of a whole run over those of the export, medians of %d", len(b.samples[name])),
		})
	}
}

// output runs a command and returns what it printed; its error carries what the
// command said on standard error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, stderr.Bytes())
	}
	return out, nil
}
