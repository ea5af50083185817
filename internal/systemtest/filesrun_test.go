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
// The goal of 18 for a configuration and 14 for an upload is not met. The files
// that are left are steps that other requests share. No two of them that lie in one
// package have 200 lines or fewer together, so to merge them would make one file
// of two subjects.
//
// Every request takes 18 files:
//
//	server/http             the listener counts requests, and routes AssumeRole
//	ossapi/request (3)      address and parameters; route; bounded body
//	ossapi/serve, access    the call and its answer; who may do it, and the audit
//	signature (3)           what is signed, its canonical form, and version 4
//	ram/decide              the policies that count
//	securefile (2)          the document of keys and policies, and its file
//	bucket, store/buckets   which store has the bucket; its settings
//	metrics, clock, logs    the observation, the time, the id in every log line
//	names                   what a bucket's name may be
//
// A configuration takes 14 more: its handler; XML in and out (ossxml 2,
// inventoryxml 2); its fields, columns and rules (3 of the root package); checks,
// queue and due times (inventory 3); and the catalog: its shared statements, those
// of configurations, and SQLite (3).
//
// An upload takes 11 more: its handler; the operation, its body and its commit
// (store 3); key, row and statistics (layout 3); the file of the body (blob); the
// digests of one body and their workers (2); and the ETag (record).
var mostFiles = map[string]int{"PutBucketInventory": 32, "PutObject": 29}

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
