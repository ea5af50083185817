package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	_ "github.com/marcboeker/go-duckdb"
	"golang.org/x/sync/errgroup"
)

// A database contains the rows and is a file in dir. Its exports are written to dir/out.
type database struct {
	sql     *sql.DB
	dir     string
	version string
	rows    int
}

// columns are the columns of a report with all ten optional fields. Times are time stamps, as
// in a database, instead of text as in a report.
const columns = `{'bucket':'VARCHAR','key':'VARCHAR','size':'BIGINT','modified':'TIMESTAMP','etag':'VARCHAR','class':'VARCHAR',
	'multipart':'BOOLEAN','encrypted':'BOOLEAN','acl':'VARCHAR','tags':'SMALLINT','type':'VARCHAR','crc64':'UBIGINT'}`

// open creates the database, loads the rows, and reads them once.
func open(ctx context.Context, rows, dir string) (_ *database, err error) {
	db, err := sql.Open("duckdb", filepath.Join(dir, "rows.duckdb"))
	if err != nil {
		return nil, err
	}
	d := &database{sql: db, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	for _, statement := range []string{
		"SET threads = 2",
		"CREATE TABLE rows AS SELECT * FROM read_csv(" + quoted(rows) + ", header = false, auto_detect = false, quote = '\"', timestampformat = '%Y-%m-%dT%H-%M-%SZ', columns = " + columns + ")",
		"CHECKPOINT",
		"COPY rows TO '/dev/null' (FORMAT csv, HEADER false)",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	err = db.QueryRowContext(ctx, "SELECT version(), count(*) FROM rows").Scan(&d.version, &d.rows)
	return d, err
}

func (d *database) close() error { return d.sql.Close() }

func (d *database) out() string { return filepath.Join(d.dir, "out") }

// exported is the cost and the size of an export.
type exported struct {
	took, cpu   time.Duration
	bytes, rows int64
}

// export exports the rows in a given way, measures it, and removes the output.
func (d *database) export(ctx context.Context, way string) (did exported, err error) {
	const gzip = "(FORMAT csv, HEADER false, COMPRESSION gzip"
	threads, order, do := 2, true, func() (int64, error) { return d.exec(ctx, "COPY rows TO "+quoted(d.out())+gzip+")") }
	switch way {
	case "copy-to-gzip-csv":
	case "copy-to-gzip-csv/threads=1":
		threads = 1
	case "copy-to-gzip-csv/per-thread-output":
		order = false
		do = func() (int64, error) { return d.exec(ctx, "COPY rows TO "+quoted(d.out())+gzip+", PER_THREAD_OUTPUT)") }
	case "copy-to-parquet-zstd":
		do = func() (int64, error) {
			return d.exec(ctx, "COPY rows TO "+quoted(d.out())+" (FORMAT parquet, COMPRESSION zstd)")
		}
	case "copy-to-parquet-zstd-1":
		do = func() (int64, error) {
			return d.exec(ctx, "COPY rows TO "+quoted(d.out())+" (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
		}
	case "copy-to-parquet-snappy":
		do = func() (int64, error) {
			return d.exec(ctx, "COPY rows TO "+quoted(d.out())+" (FORMAT parquet, COMPRESSION snappy)")
		}
	case "two-copies-to-gzip-1":
		if err := os.Mkdir(d.out(), 0o755); err != nil {
			return did, err
		}
		do = func() (int64, error) { return d.halves(ctx) }
	default:
		return did, fmt.Errorf("no way %q", way)
	}
	for _, setting := range []string{fmt.Sprintf("threads = %d", threads), fmt.Sprintf("preserve_insertion_order = %t", order)} {
		if _, err := d.exec(ctx, "SET "+setting); err != nil {
			return did, err
		}
	}
	before, start := processor(), time.Now()
	if did.rows, err = do(); err != nil {
		return did, err
	}
	did.took, did.cpu = time.Since(start), processor()-before
	if did.bytes, err = size(d.out()); err != nil {
		return did, err
	}
	return did, os.RemoveAll(d.out())
}

// exec executes a statement and returns how many rows it copied.
func (d *database) exec(ctx context.Context, statement string) (int64, error) {
	res, err := d.sql.ExecContext(ctx, statement)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// halves exports each half of the rows to a separate gzip process.
func (d *database) halves(ctx context.Context) (int64, error) {
	var rows [2]int64
	g, ctx := errgroup.WithContext(ctx)
	for i, compare := range []string{"<", ">="} {
		g.Go(func() (err error) {
			rows[i], err = d.half(ctx, i, fmt.Sprintf("SELECT * FROM rows WHERE rowid %s %d", compare, d.rows/2))
			return err
		})
	}
	err := g.Wait()
	return rows[0] + rows[1], err
}

// half exports the result of a query through a named pipe to gzip -1.
func (d *database) half(ctx context.Context, i int, query string) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pipe := filepath.Join(d.out(), fmt.Sprintf("pipe-%d", i))
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `exec gzip -1 < "$0" > "$0.csv.gz"`, pipe)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	n, err := d.exec(ctx, "COPY ("+query+") TO "+quoted(pipe)+" (FORMAT csv, HEADER false)")
	if err != nil {
		cancel() // otherwise gzip would wait for a writer
	}
	if e := cmd.Wait(); e != nil {
		err = errors.Join(err, fmt.Errorf("gzip: %w\n%s", e, stderr.Bytes()))
	}
	return n, err
}

// size returns the total size of the files in a folder, or the size of a single file.
func size(path string) (sum int64, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// quoted returns s as an SQL string literal.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// processor returns the processor time of this process and of the child processes that have
// ended.
func processor() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return 0
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}
