package rivals

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"golang.org/x/sync/errgroup"
)

// postgres is a PostgreSQL server of the benchmark's own, in a folder, reached
// through a socket in it. If the benchmark runs as root, the server runs as the user
// postgres, because it refuses root.
type postgres struct {
	bin, dir string
	buffers  int64               // bytes of shared memory
	as       *syscall.Credential // nil: as we are

	version string
	pages   int // of the table
}

// start starts the server with the settings with which it exports fastest: a quarter
// of the memory for its buffers, as its manual recommends; no checkpoint, vacuum or
// sync during the measurement; and scans that begin at the beginning.
func (p *postgres) start(ctx context.Context) error {
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return err
	}
	var err error
	if p.as, err = testpostgres.GiveToPostgres(p.dir); err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	if _, err := output(p.command(ctx, "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")); err != nil {
		return err
	}
	settings := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c shared_buffers=%dMB", p.dir, p.buffers>>20)
	for _, s := range []string{"fsync=off", "full_page_writes=off", "max_wal_size=16GB", "checkpoint_timeout=1h", "autovacuum=off", "synchronize_seqscans=off"} {
		settings += " -c " + s
	}
	log := filepath.Join(p.dir, "log")
	// The server keeps what would be the output of pg_ctl.
	if err := p.command(ctx, "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", settings).Run(); err != nil {
		said, _ := os.ReadFile(log) // it is not there if pg_ctl itself failed
		return fmt.Errorf("pg_ctl start: %w\n%s", err, said)
	}
	version, err := p.query(ctx, "SHOW server_version")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	p.version, _, _ = strings.Cut(version, " ")
	return nil
}

func (p *postgres) stop() error {
	_, err := output(p.command(context.Background(), "pg_ctl", "stop", "-w", "-m", "fast", "-D", filepath.Join(p.dir, "data")))
	return err
}

// load fills a table that is unlogged, so that it is written only once; frozen, so
// that no row's visibility is looked up; and has been read once. Times are text,
// since PostgreSQL prints text faster than a timestamp.
func (p *postgres) load(ctx context.Context, rows string) error {
	const columns = `bucket text, key text, size bigint, modified text, etag text, class text, multipart boolean, encrypted boolean,
		acl text, tags smallint, type text, crc64 numeric`
	if _, err := p.query(ctx,
		"CREATE UNLOGGED TABLE rows ("+columns+")",
		"COPY rows FROM "+quoted(rows)+" (FORMAT csv)",
		"VACUUM (FREEZE, ANALYZE) rows",
		"CHECKPOINT",
		"COPY rows TO '/dev/null' (FORMAT csv)"); err != nil {
		return err
	}
	pages, err := p.query(ctx, "SELECT relpages FROM pg_class WHERE relname = 'rows'")
	if err != nil {
		return err
	}
	if p.pages, err = strconv.Atoi(pages); err != nil {
		return err
	}
	plan, err := p.query(ctx, append(inParallel, "EXPLAIN "+everything)...)
	if err == nil && !strings.Contains(plan, "Gather") {
		err = fmt.Errorf("PostgreSQL does not read the table in parallel:\n%s", plan)
	}
	return err
}

// everything is a query of all rows, which PostgreSQL may split between
// processes as it does not split COPY of a table.
const everything = "SELECT * FROM rows"

// inParallel makes two processes read for a query, in addition to the process that
// formats its rows, even if the table is small.
var inParallel = []string{
	"SET max_parallel_workers_per_gather = 2", "SET parallel_leader_participation = off",
	"SET parallel_setup_cost = 0", "SET parallel_tuple_cost = 0", "SET min_parallel_table_scan_size = 0",
}

// ways returns the measured statements: COPY TO PROGRAM with GNU gzip at level
// 1, as its manual has it, which keeps one process busy with formatting and one
// with compressing; of a query that is read in parallel, which helps little,
// since one process still formats and one compresses; and two at once, of half
// of the table's pages each, which has work for both cores to the end and is
// the fastest.
func (p *postgres) ways() []*way {
	out := func(i int) string { return filepath.Join(p.dir, fmt.Sprintf("rows-%d.csv.gz", i)) }
	copyTo := func(what string, i int) string {
		return "COPY " + what + " TO PROGRAM " + quoted("gzip -1 > '"+out(i)+"'") + " (FORMAT csv)"
	}
	half := func(compare string) string {
		return fmt.Sprintf("(%s WHERE ctid %s '(%d,0)')", everything, compare, p.pages/2)
	}
	export := func(sessions ...[]string) func(ctx context.Context) (experiment.Execution, error) {
		return func(ctx context.Context) (did experiment.Execution, err error) {
			start := time.Now()
			said := make([]string, len(sessions))
			g, ctx := errgroup.WithContext(ctx)
			for i, statements := range sessions {
				g.Go(func() (err error) {
					said[i], err = p.query(ctx, statements...)
					return err
				})
			}
			if err := g.Wait(); err != nil {
				return did, err
			}
			did.Took = time.Since(start)
			for i := range sessions {
				n, err := copied(said[i])
				if err != nil {
					return did, err
				}
				did.Rows += n
				info, err := os.Stat(out(i))
				if err != nil {
					return did, err
				}
				did.Stored += info.Size()
			}
			return did, nil
		}
	}
	named := func(name, says string) experiment.Entrant {
		return experiment.Entrant{Name: "PostgreSQL/" + name, Says: "PostgreSQL " + p.version + ", " + says}
	}
	ways := []*way{
		{single: true, Entrant: named("copy-to-program-gzip-1", "one COPY TO PROGRAM 'gzip -1', a process that formats and one that compresses")},
		{Entrant: named("copy-parallel-query-to-program-gzip-1", "one COPY (SELECT) TO PROGRAM 'gzip -1', read by two parallel workers")},
		{Entrant: named("two-copies-to-program-gzip-1", "two COPY TO PROGRAM 'gzip -1' at once, half of the table each")},
	}
	ways[0].Once = export([]string{copyTo("rows", 0)})
	ways[1].Once = export(append(inParallel[:len(inParallel):len(inParallel)], copyTo("("+everything+")", 0)))
	ways[2].Once = export([]string{copyTo(half("<"), 0)}, []string{copyTo(half(">="), 1)})
	return ways
}

// copied returns the number of rows of the COPY at the end of the output of a
// session.
func copied(said string) (int, error) {
	_, n, found := strings.Cut("\n"+said, "\nCOPY ")
	if !found {
		return 0, fmt.Errorf("psql said no COPY: %q", said)
	}
	return strconv.Atoi(n)
}

// query runs statements in one session and returns what they printed: rows bare,
// and the tags of others, such as SET.
func (p *postgres) query(ctx context.Context, statements ...string) (string, error) {
	args := []string{"-h", p.dir, "-U", "bench", "-d", "postgres", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"}
	for _, s := range statements {
		args = append(args, "-c", s)
	}
	out, err := output(p.command(ctx, "psql", args...))
	return strings.TrimSpace(string(out)), err
}

func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if p.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	}
	return cmd
}

// quoted returns s as an SQL string literal.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// output runs a command and returns its output; its error contains the text of
// standard error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, stderr.Bytes())
	}
	return out, nil
}
