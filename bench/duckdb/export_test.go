package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rowsFile returns a file with n rows of a report.
func rowsFile(t *testing.T, n int) string {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "lake,\"a%%2F%08d\",\"%d\",\"2026-03-05T07-04-05Z\",\"0123456789ABCDEF\",\"Standard\",\"false\",\"true\",\"private\",\"0\",\"Normal\",\"%d\"\n",
			i, i, uint64(1<<64-1)-uint64(i))
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryWayExportsAllRows(t *testing.T) {
	const n = 5001
	dir := t.TempDir()
	var out bytes.Buffer
	in := strings.NewReader(strings.Repeat("copy-to-gzip-csv\ncopy-to-gzip-csv/threads=1\ncopy-to-gzip-csv/per-thread-output\ntwo-copies-to-gzip-1\n", 2))
	if err := serve(t.Context(), rowsFile(t, n), dir, in, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+8 || !strings.HasPrefix(lines[0], "v") {
		t.Fatalf("%q, want a version and 8 exports", lines)
	}
	for _, line := range lines[1:] {
		var took, cpu float64
		var size, rows int64
		if _, err := fmt.Sscan(line, &took, &cpu, &size, &rows); err != nil || took <= 0 || size < n || size > 100*n || rows != n {
			t.Errorf("%q, %v, want some bytes of %d rows", line, err, n)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); !os.IsNotExist(err) {
		t.Errorf("what was exported is still there: %v", err)
	}
}

func TestUnknownWay(t *testing.T) {
	if err := serve(t.Context(), rowsFile(t, 1), t.TempDir(), strings.NewReader("none\n"), new(bytes.Buffer)); err == nil {
		t.Error("no error")
	}
}

func TestHalfThatFailsEnds(t *testing.T) {
	db, err := open(t.Context(), rowsFile(t, 1), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.Mkdir(db.out(), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := db.half(t.Context(), 0, "SELECT * FROM nowhere"); err == nil {
		t.Error("no error")
	}
}
