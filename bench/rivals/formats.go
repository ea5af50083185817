package rivals

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// Formats compares the formats of reports with parquet-go's plain writer and
// DuckDB's COPY to the same formats, of the same rows.
//
//   - All have the rows ready: we as records in memory, parquet-go as structs in
//     memory, DuckDB in its database, which it has read once.
//   - Ours includes shards of a million rows with their MD5 and SHA-256, and the
//     places of their pieces. DuckDB writes one file and no sums.
//   - DuckDB has the CRC-64 as UBIGINT, of eight bytes, where we write text.
//   - On a machine that does other things, processor time says more than the clock.
func Formats(ctx context.Context, args []string) error {
	b := formatsBench{Contest: experiment.Contest{Experiment: experiment.New("formats", "folder for the rows and what is written, which is removed in the end")}}
	objects := experiment.Set(b.Flags, "objects", "1000000", "rows; 10^7 take 9 GB of memory, 4 without parquet-go", experiment.AtLeast(1))
	count := experiment.Set(b.Flags, "count", "5", "how often each is measured, in turn; the median counts", experiment.AtLeast(1))
	workers := experiment.Set(b.Flags, "workers", "2", "goroutines of Stocktake and parquet-go, each with a part of the rows; DuckDB has two threads", experiment.AtLeast(1))
	withParquetGo := b.Flags.Bool("parquet-go", true, "measure parquet-go's generic writer")
	withDuckDB := b.Flags.Bool("duckdb", true, "measure DuckDB, which takes cgo and a build of a minute")
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.Rows, b.Rounds, b.workers = *objects, *count, *workers
		return b.run(ctx, *withParquetGo, *withDuckDB)
	})
}

type formatsBench struct {
	experiment.Contest
	workers int
	records []stocktake.Record
}

// formatColumns are those of bench/duckdb.
var formatColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag,
	stocktake.FieldStorageClass, stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
}

func (b *formatsBench) run(ctx context.Context, withParquetGo, withDuckDB bool) (err error) {
	db := &duckdb{dir: filepath.Join(b.Work, "duckdb")}
	if withDuckDB {
		if err := db.build(ctx); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
		defer func() { err = errors.Join(err, db.stop()) }()
	}
	b.records = membucket.UniformRecords(int64(b.Rows))
	ours := make(map[string]*experiment.Entrant)
	var entrants []*experiment.Entrant
	for _, f := range report.Formats() {
		e := &experiment.Entrant{
			Name: "stocktake/" + f.Name(), Says: fmt.Sprintf("report.ShardWriter, %s, %d goroutines", f.Name(), b.workers),
			Once: func(ctx context.Context) (experiment.Execution, error) { return b.write(ctx, f) },
		}
		ours[f.Name()] = e
		entrants = append(entrants, e)
	}
	if withParquetGo {
		entrants = append(entrants, b.parquetGo(ours[stocktake.FormatParquet])...)
	}
	if withDuckDB {
		rows := filepath.Join(b.Work, "rows.csv")
		if err := b.text(rows); err != nil {
			return err
		}
		if err := db.load(ctx, rows); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
		for _, w := range db.formats() {
			e := &w.Entrant
			e.Ours = []*experiment.Entrant{ours[w.format]}
			entrants = append(entrants, e)
		}
	}
	if err := b.Contest.Measure(ctx, entrants...); err != nil {
		return err
	}
	b.Compare()
	return nil
}

// text writes the rows as CSV, for DuckDB to load.
func (b *formatsBench) text(path string) (err error) {
	enc, err := csvrow.NewEncoder("lake-production", formatColumns)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var row []byte
	for i := range b.records {
		row = enc.AppendRow(row[:0], &b.records[i])
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return w.Flush()
}

// write writes all rows as shards, each worker a part of the rows.
func (b *formatsBench) write(_ context.Context, f report.Format) (experiment.Execution, error) {
	return timeParts(filepath.Join(b.Work, "shards"), b.records, b.workers, func(name string, records []stocktake.Record) error {
		w, err := report.NewShardWriter(f, "lake-production", formatColumns, report.Limits{})
		if err != nil {
			return err
		}
		for n := 0; len(records) > 0; n++ {
			rest, err := writeShard(w, fmt.Sprintf("%s-%d", name, n), records)
			if err != nil {
				return err
			}
			records = rest
		}
		return nil
	})
}

// timeParts measures how long workers take to write rows to the folder dir, which it makes and
// removes. write writes a part of the rows to files whose names begin with name.
func timeParts[T any](dir string, rows []T, workers int, write func(name string, part []T) error) (did experiment.Execution, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return did, err
	}
	before, err := measure.Self()
	if err != nil {
		return did, err
	}
	start := time.Now()
	var g errgroup.Group
	n := 0
	for part := range slices.Chunk(rows, (len(rows)+workers-1)/workers) {
		name := filepath.Join(dir, fmt.Sprint(n))
		n++
		g.Go(func() error { return write(name, part) })
	}
	if err := g.Wait(); err != nil {
		return did, err
	}
	did.Took, did.Rows = time.Since(start), len(rows)
	after, err := measure.Self()
	if err != nil {
		return did, err
	}
	did.CPU = after - before
	files, err := os.ReadDir(dir)
	if err != nil {
		return did, err
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return did, err
		}
		did.Stored += info.Size()
	}
	return did, os.RemoveAll(dir)
}

// writeShard writes a shard of the first records and returns the rest.
func writeShard(w *report.ShardWriter, name string, records []stocktake.Record) (rest []stocktake.Record, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := w.Begin(f); err != nil {
		return nil, err
	}
	for len(records) > 0 && !w.Full() {
		n, err := w.Write(records[:min(512, len(records))])
		if err != nil {
			return nil, err
		}
		records = records[n:]
	}
	_, err = w.End()
	return records, err
}
