//go:build unix

package reportfolder_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/report"
)

// A folder that holds a report whose manifest is a named pipe is refused at once:
// opening it would wait for a writer.
func TestManifestThatIsAPipe(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "2026-01-05T16-00Z")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(at, report.ManifestName), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{filepath.Join(at, report.ManifestName), at, dir} {
		if p, err := reportfolder.Open(t.Context(), where); err == nil {
			t.Errorf("%s: no error", where)
			p.Close()
		}
	}
}
