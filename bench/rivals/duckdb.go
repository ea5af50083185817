package rivals

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
)

// duckdb is a process of duckdb/, which holds a database open and exports it in the
// requested way.
type duckdb struct {
	dir string

	cmd     *exec.Cmd // nil: it does not go
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  bytes.Buffer
	version string
}

func (d *duckdb) binary() string { return filepath.Join(d.dir, "duckdb") }

// build makes the program and the folder for its database.
func (d *duckdb) build(ctx context.Context) error {
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", d.binary(), ".")
	build.Dir = "duckdb"
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// load starts the process, which says its version when it has loaded the rows
// and read them once.
func (d *duckdb) load(ctx context.Context, rows string) (err error) {
	cmd := exec.CommandContext(ctx, d.binary(), rows, d.dir)
	cmd.Stderr = &d.stderr
	if d.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	d.stdout = bufio.NewReader(stdout)
	if err := cmd.Start(); err != nil {
		return err
	}
	d.cmd = cmd
	d.version, err = d.line()
	return err
}

// ways returns the measured statements: COPY TO as the manual has it, on two
// threads and on one, where one thread compresses whatever the number, at level
// 6, since DuckDB offers no other; a file for each thread, which compresses on
// both but loses the order of the rows; and two statements at once, of half of
// the rows each, into a gzip -1 each, which is the work that PostgreSQL does.
func (d *duckdb) ways() []*way {
	var ways []*way
	for _, w := range []struct {
		name, says string
		single     bool
	}{
		{"copy-to-gzip-csv", "COPY (FORMAT csv, COMPRESSION gzip) on two threads, level 6, which cannot be chosen", false},
		{"copy-to-gzip-csv/threads=1", "COPY (FORMAT csv, COMPRESSION gzip) on one thread, level 6, which cannot be chosen", true},
		{"copy-to-gzip-csv/per-thread-output", "COPY (FORMAT csv, COMPRESSION gzip, PER_THREAD_OUTPUT) on two threads, level 6, in no order", false},
		{"two-copies-to-gzip-1", "two COPY (FORMAT csv) at once, half of the rows each, through pipes to gzip -1", false},
	} {
		ways = append(ways, &way{single: w.single, Entrant: experiment.Entrant{
			Name: "DuckDB/" + w.name, Says: "DuckDB " + d.version + ", " + w.says,
			Once: func(context.Context) (experiment.Execution, error) { return d.export(w.name) },
		}})
	}
	return ways
}

// A formatWay is a way of exporting that is compared with one of our formats.
type formatWay struct {
	experiment.Entrant
	format string
}

// formats returns the statements with which formats of reports are compared: the same
// columns in the same format on two threads, with the settings of the manual and with
// settings that were found to be faster or smaller.
func (d *duckdb) formats() []*formatWay {
	var ways []*formatWay
	for _, w := range []struct{ name, format, says string }{
		{"copy-to-gzip-csv", stocktake.FormatCSV, "COPY (FORMAT csv, COMPRESSION gzip), level 6, which cannot be chosen"},
		{"copy-to-parquet-zstd", stocktake.FormatParquet, "COPY (FORMAT parquet, COMPRESSION zstd)"},
		{"copy-to-parquet-zstd-1", stocktake.FormatParquet, "COPY (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"},
		{"copy-to-parquet-snappy", stocktake.FormatParquet, "COPY (FORMAT parquet, COMPRESSION snappy)"},
	} {
		ways = append(ways, &formatWay{format: w.format, Entrant: experiment.Entrant{
			Name: "DuckDB/" + w.name, Says: "DuckDB " + d.version + ", " + w.says + ", two threads",
			Once: func(context.Context) (experiment.Execution, error) { return d.export(w.name) },
		}})
	}
	return ways
}

// export has the process export once. It ends when the context does that load
// was given.
func (d *duckdb) export(name string) (did experiment.Execution, err error) {
	if _, err := fmt.Fprintln(d.stdin, name); err != nil {
		return did, errors.Join(err, d.stop())
	}
	line, err := d.line()
	if err != nil {
		return did, err
	}
	var took, cpu float64
	if _, err := fmt.Sscan(line, &took, &cpu, &did.Stored, &did.Rows); err != nil {
		return did, fmt.Errorf("%w: %q", err, line)
	}
	did.Took, did.CPU = time.Duration(took*float64(time.Second)), time.Duration(cpu*float64(time.Second))
	return did, nil
}

// line reads a line of the process. If there is none the process has failed.
func (d *duckdb) line() (string, error) {
	line, err := d.stdout.ReadString('\n')
	if err != nil {
		return "", errors.Join(err, d.stop())
	}
	return strings.TrimSpace(line), nil
}

// stop has the process end, which it does when there is nothing more to read.
func (d *duckdb) stop() error {
	if d.cmd == nil {
		return nil
	}
	cmd := d.cmd
	d.cmd = nil
	err := d.stdin.Close()
	if e := cmd.Wait(); e != nil {
		err = fmt.Errorf("duckdb: %w\n%s", e, d.stderr.Bytes())
	}
	return err
}
