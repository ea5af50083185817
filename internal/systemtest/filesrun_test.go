package systemtest

import (
	"bufio"
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mostFiles is how many files of ours may run in one request. Whoever reads the
// way of a request reads these files, so the numbers only ever go down. A request
// that runs one more needs its code put where it belongs, or a reason in the
// commit that raises the number.
//
// The goal was 18 for a configuration and 14 for an upload. It is not met: each
// file that is left is a step of its own, of 100 to 300 lines.
// Every request takes 18: the listener (server/http), address, route and body (3),
// call and rights (ossapi/serve and access), signature (3), who signed and what
// they may do (ram/decide, the document that it lies in, and its file), registry and bucket
// (2), metrics, clock, names, and the id of the request for the log.
// A configuration adds its handler, XML both ways (4), the rules of the root (3),
// the service (put, queue, schedule, who holds a run, and buckets that were deleted), and the
// catalog: what is SQL of any database (2), and SQLite (2).
// An upload adds its handler, the operation, its body and its commit (3), rows of
// the index (3), the file of a blob, digests (2) and the ETag in record.go.
var mostFiles = map[string]int{"PutBucketInventory": 35, "PutObject": 29}

// TestFilesThatRun takes the coverage profile of one PutBucketInventory and of one
// upload, each a signed request through the handler of a whole server, and counts
// the files that ran.
func TestFilesThatRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds an instrumented binary")
	}
	const module = "github.com/stocktake/stocktake/"
	dir := t.TempDir()
	tool := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOCOVERDIR="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	binary := filepath.Join(dir, "filesrun")
	// Counters can be cleared only if they are atomic.
	tool("go", "build", "-cover", "-covermode=atomic", "-coverpkg="+module+"...", "-o", binary, "./testdata/filesrun")
	tool(binary, dir)
	for request, most := range mostFiles {
		profile := filepath.Join(dir, request+".txt")
		tool("go", "tool", "covdata", "textfmt", "-i="+filepath.Join(dir, request), "-o="+profile)
		text, err := os.ReadFile(profile)
		check(t, err)
		ran := map[string]bool{}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			// module/path/file.go:1.2,3.4 statements count
			file, ours := strings.CutPrefix(lines.Text(), module)
			if file, _, _ = strings.Cut(file, ":"); ours && !strings.HasSuffix(lines.Text(), " 0") && !strings.Contains(file, "/testdata/") {
				ran[file] = true
			}
		}
		list := strings.Join(slices.Sorted(maps.Keys(ran)), "\n")
		switch {
		case !ran["internal/ossapi/serve.go"] || !ran["internal/store/buckets.go"]:
			t.Errorf("%s: the profile lacks what every request runs:\n%s", request, list)
		case len(ran) > most:
			t.Errorf("%s runs %d files, at most %d are allowed:\n%s", request, len(ran), most, list)
		default:
			t.Logf("%s runs %d files:\n%s", request, len(ran), list)
		}
	}
}
