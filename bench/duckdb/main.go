// Duckdb loads a CSV file of report rows into a DuckDB database and writes the
// rows as a gzip-compressed CSV file with COPY TO, on two threads. It prints the
// seconds that COPY took, by the clock and of the processor.
//
//	go run . ROWS.csv DATABASE OUT.csv.gz
//
// It is a module of its own so that nobody else waits for linking DuckDB.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "github.com/marcboeker/go-duckdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: go run . ROWS.csv DATABASE OUT.csv.gz")
		os.Exit(2)
	}
	took, cpu, err := export(ctx, os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, "duckdb:", err)
		os.Exit(1)
	}
	fmt.Println(took.Seconds(), cpu.Seconds())
}

// columns are those of a report with all ten optional fields. The database has
// a time stamp where the report has text, as a database would.
const columns = `{'bucket':'VARCHAR','key':'VARCHAR','size':'BIGINT','modified':'TIMESTAMP','etag':'VARCHAR','class':'VARCHAR',
	'multipart':'BOOLEAN','encrypted':'BOOLEAN','acl':'VARCHAR','tags':'SMALLINT','type':'VARCHAR','crc64':'UBIGINT'}`

// export loads rows into a new database at path and measures the COPY to out.
func export(ctx context.Context, rows, path, out string) (took, cpu time.Duration, err error) {
	db, err := sql.Open("duckdb", path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, statement := range []string{
		"SET threads = 2",
		"CREATE TABLE rows AS SELECT * FROM read_csv(" + quoted(rows) + ", header = false, auto_detect = false, quote = '\"', timestampformat = '%Y-%m-%dT%H-%M-%SZ', columns = " + columns + ")",
		"CHECKPOINT",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return 0, 0, err
		}
	}
	before, start := processor(), time.Now()
	if _, err := db.ExecContext(ctx, "COPY rows TO "+quoted(out)+" (FORMAT csv, HEADER false, COMPRESSION gzip)"); err != nil {
		return 0, 0, err
	}
	return time.Since(start), processor() - before, nil
}

// quoted is s as a string of SQL.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// processor is the processor time of this process.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
