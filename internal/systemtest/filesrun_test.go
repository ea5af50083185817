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
// The goal of 18 for a configuration and 14 for an upload is not met. The functions
// that run have some 3,300 and 3,000 lines with their comments, so files of 300
// lines that held nothing else would be 12 and 11. The others are in packages of
// which a request needs little, or would be files of two subjects if they were
// merged.
//
// Every request takes 14 files:
//
//	server/requests          the listener counts requests, and routes AssumeRole
//	ossapi/serve             the call from its arrival to its handler and to the log
//	ossapi/request (2)       address and operation; parameters and body
//	signature (3)            what is signed, its canonical form, and version 4
//	ram/decide               the policies that count
//	securefile/current       whether keys and policies are as they were read
//	bucket, store/change     which store has the bucket; its settings
//	metrics, logs            the observation, the id in every log line
//	names                    what a bucket's name may be
//
// A configuration takes 13 more: its handler; XML in and out (ossxml 2,
// inventoryxml 2); its form and its rules (2 of the root package); checks, queue
// and due times (inventory 3), and the clock that they follow; and the catalog, with
// its statements and SQLite (2).
//
// An upload takes 9 more: its handler; the operation, its body and the lock of its
// key (store 3, as its commit is in store/change); the encoding of what is committed (layout); the file
// of the body (blob); the digests of one body and their workers (2); and the ETag
// (record).
var mostFiles = map[string]int{"PutBucketInventory": 27, "PutObject": 23}

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
		case !ran["internal/ossapi/serve.go"] || !ran["internal/store/change.go"]:
			t.Errorf("%s: the profile lacks what every request runs:\n%s", request, list)
		case len(ran) > most:
			t.Errorf("%s runs %d files, at most %d are allowed:\n%s", request, len(ran), most, list)
		default:
			t.Logf("%s runs %d files:\n%s", request, len(ran), list)
		}
	}
}
