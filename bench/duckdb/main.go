// Duckdb loads a CSV file of report rows into a DuckDB database and exports the
// rows with COPY TO, on two threads, as often as it is told and in the way it is
// told.
//
//	go run . ROWS.csv FOLDER
//
// When it has loaded the rows it prints the version of DuckDB. Then it reads
// names of ways, one a line, and for each prints the seconds that the export
// took, by the clock and of the processor, the bytes that it wrote and the rows.
//
// It is a module of its own so that other builds do not have to link DuckDB.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run . ROWS.csv FOLDER")
		os.Exit(2)
	}
	if err := serve(ctx, os.Args[1], os.Args[2], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve loads the rows and exports them for every line of in.
func serve(ctx context.Context, rows, dir string, in io.Reader, out io.Writer) (err error) {
	db, err := open(ctx, rows, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	if _, err := fmt.Fprintln(out, db.version); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		did, err := db.export(ctx, lines.Text())
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, did.took.Seconds(), did.cpu.Seconds(), did.bytes, did.rows); err != nil {
			return err
		}
	}
	return lines.Err()
}
