// Package rivals compares a run with other ways to the same rows: exports of
// databases, other writers of the same formats, and tools that list a bucket.
package rivals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
)

// Exports compares a run with the exports of databases that hold the same
// rows. What is compared with what, and why:
//
//   - All is warm and at rest: the databases have loaded and read every row once,
//     and the disk has what was written, before the first round. Every entrant is
//     measured in every round.
//   - The time of a run includes its plan, its syncs, its checksums and its
//     manifest. That of an export is the statement's; no sync is requested.
//   - The databases hold what the report says, a key escaped and a hash as text,
//     which spares them the work that formatting these takes us.
//   - PostgreSQL and DuckDB are each measured the way that their manuals have it,
//     and in the fastest ways that were found to use two cores. All are held
//     against a run of a worker a core; those of one session or thread against a
//     run of one worker as well.
//   - The databases compress rows of 12 columns with gzip at level 1; where they
//     leave no choice, that is said. A report is smaller than level 1 makes it.
func Exports(ctx context.Context, args []string) error {
	b := exportsBench{experiment.Contest{Experiment: experiment.New("exports", "folder for the stores, which are removed in the end; 10^7 objects take 12 GB")}}
	objects := experiment.Set(b.Flags, "objects", "10000000", "objects in the bucket, rows in the databases", experiment.AtLeast(1))
	count := experiment.Set(b.Flags, "count", "3", "how often each export is measured, in turn; the median counts", experiment.AtLeast(1))
	postgres := b.Flags.String("postgres", "/usr/lib/postgresql/15/bin", "folder of PostgreSQL's programs; empty: it is left out")
	duckdb := b.Flags.Bool("duckdb", true, "measure DuckDB, which takes cgo and a build of a minute")
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.Rows, b.Rounds = *objects, *count
		return b.run(ctx, *postgres, *duckdb)
	})
}

type exportsBench struct{ experiment.Contest }

// run starts the databases, which would fail at once if they did at all, then
// fills them and measures.
func (b *exportsBench) run(ctx context.Context, postgresBin string, withDuckDB bool) (err error) {
	if err := os.Chmod(b.Work, 0o755); err != nil { // PostgreSQL may run as another user
		return err
	}
	var databases []database
	defer func() {
		for _, db := range databases {
			err = errors.Join(err, db.stop())
		}
	}()
	if postgresBin != "" {
		db := &postgres{bin: postgresBin, dir: filepath.Join(b.Work, "postgres"), buffers: b.Results.Host.Memory / 4}
		if err := db.start(ctx); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
		databases = append(databases, db)
	}
	if withDuckDB {
		db := &duckdb{dir: filepath.Join(b.Work, "duckdb")}
		if err := db.build(ctx); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
		databases = append(databases, db)
	}
	lake, err := lakeserver.NewStore(ctx, b.Experiment, b.Rows)
	if err != nil {
		return err
	}
	if err := b.load(ctx, lake, databases); err != nil {
		return err
	}
	all, one := b.ours(lake)
	entrants := []*experiment.Entrant{all, one}
	for _, db := range databases {
		for _, w := range db.ways() {
			w.Ours = []*experiment.Entrant{all}
			if w.single {
				w.Ours = append(w.Ours, one)
			}
			entrants = append(entrants, &w.Entrant)
		}
	}
	if err := b.Contest.Measure(ctx, entrants...); err != nil {
		return err
	}
	b.Compare()
	return nil
}

// A database can be filled with rows and export them.
type database interface {
	// load fills the database from a CSV file of a report's rows and reads it once.
	load(ctx context.Context, rows string) error
	// ways are how it is measured, after load.
	ways() []*way
	stop() error
}

// A way is one of exporting.
type way struct {
	experiment.Entrant
	single bool // of one session or thread: also compared with a run of one worker
}

// ours returns runs of as many workers as there are cores, and of one. Each has a
// server of its own, whose start is not measured.
func (b *exportsBench) ours(lake *lakeserver.Store) (all, one *experiment.Entrant) {
	onServer := func(args ...string) func(ctx context.Context) (experiment.Execution, error) {
		return func(ctx context.Context) (did experiment.Execution, err error) {
			s, err := lake.Start(ctx, args...)
			if err != nil {
				return did, err
			}
			defer func() { err = errors.Join(err, s.Stop()) }()
			return lakeserver.MakeRun(ctx, s)
		}
	}
	says := func(workers string) string {
		return fmt.Sprintf("a whole run of %s in one process, the same %d rows of %d columns on the same %d cores, gzip of the size of level 1 or less",
			workers, b.Rows, lakeserver.Columns, runtime.GOMAXPROCS(0))
	}
	return &experiment.Entrant{Name: "Stocktake", Says: says("a worker a core"), Once: onServer()},
		&experiment.Entrant{Name: "Stocktake/workers=1", Says: says("one worker"), Once: onServer("--scan-workers", "1")}
}

// load makes a report and fills the databases with its rows.
func (b *exportsBench) load(ctx context.Context, lake *lakeserver.Store, databases []database) (err error) {
	rows := filepath.Join(b.Work, "rows.csv")
	if err := keepRows(ctx, lake, rows); err != nil {
		return err
	}
	for _, db := range databases {
		if err := db.load(ctx, rows); err != nil {
			return err
		}
	}
	return os.Remove(rows)
}

// keepRows makes a run and writes the rows of its report to a file.
func keepRows(ctx context.Context, lake *lakeserver.Store, path string) (err error) {
	s, err := lake.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if err := s.Configure(ctx); err != nil {
		return err
	}
	run, err := s.Inventory(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(0o644); err != nil { // PostgreSQL may read it as another user
		return err
	}
	return s.EachShard(ctx, run.Destination, run.Manifest, func(stored io.Reader) error {
		rows, err := gzip.NewReader(stored)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, rows)
		return err
	})
}
