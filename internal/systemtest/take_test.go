package systemtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/keygen"
)

// A far is a bucket on another store that processes of the program take. It kills the current
// process after a number of requested pages.
type far struct {
	t      *testing.T
	url    string
	left   atomic.Int64
	victim atomic.Pointer[os.Process]
	pages  atomic.Int64
}

func newFar(t *testing.T, rows int64) *far {
	t.Helper()
	bucket, err := keygen.New("dated", rows)
	check(t, err)
	f := &far{t: t}
	store := &farstore.Store{Bucket: bucket, Latency: 2 * time.Millisecond}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			f.pages.Add(1)
			if f.left.Add(-1) == 0 {
				if p := f.victim.Load(); p != nil {
					_ = p.Kill()
				}
			}
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// command returns the program with keys for the store.
func (f *far) command(args ...string) *exec.Cmd {
	f.t.Helper()
	path, err := binary()
	check(f.t, err)
	cmd := exec.CommandContext(f.t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=k", "AWS_SECRET_ACCESS_KEY=s", "AWS_REGION=us-east-1", "HOME="+f.t.TempDir())
	return cmd
}

// take takes the bucket into a folder. The process is killed at a page; 0: never.
func (f *far) take(dir string, killAt int64) (out, message string, code int) {
	f.t.Helper()
	cmd := f.command("take", "s3://far/", dir, "--endpoint", f.url, "--json", "--checkpoint", "50ms", "--shard-rows", "4000", "--concurrency", "8")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	f.left.Store(0)
	check(f.t, cmd.Start())
	f.victim.Store(cmd.Process)
	f.left.Store(killAt)
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok && err != nil {
		f.t.Fatal(err)
	} else if ok {
		return stdout.String(), stderr.String(), exit.ExitCode()
	}
	return stdout.String(), stderr.String(), 0
}

// rows returns the rows of the report in a folder.
func (f *far) rows(dir string) string {
	f.t.Helper()
	for _, verb := range []string{"verify", "cat"} {
		out, err := f.command("report", verb, dir).Output()
		if err != nil {
			f.t.Fatalf("report %s: %v: %s", verb, err, out)
		}
		if verb == "cat" {
			return string(out)
		}
	}
	return ""
}

// whole checks that a folder contains a report with the given rows, its shards, and no files of
// earlier attempts.
func (f *far) whole(dir, out, rows string) {
	f.t.Helper()
	if got := f.rows(dir); got != rows {
		f.t.Errorf("%d bytes of rows, want %d", len(got), len(rows))
	}
	var result struct{ Shards []struct{ Key string } }
	check(f.t, json.Unmarshal([]byte(out), &result))
	shards, err := filepath.Glob(filepath.Join(dir, "data", "*.csv.gz"))
	check(f.t, err)
	if len(shards) != len(result.Shards) {
		f.t.Errorf("%d files of shards, the report has %d", len(shards), len(result.Shards))
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint.json")); err == nil {
		f.t.Error("the checkpoint is left")
	}
}

// A take that is killed repeatedly, at any page, is resumed by the same command, and its report
// has the rows of an undisturbed take.
func TestKillTake(t *testing.T) {
	t.Parallel()
	f := newFar(t, 60_000)
	calm := filepath.Join(t.TempDir(), "calm")
	if _, message, code := f.take(calm, 0); code != 0 {
		t.Fatal(message)
	}
	rows, pages := f.rows(calm), f.pages.Load()
	for range max(1, rounds(t, killsVariable, 3)/3) {
		dir := filepath.Join(t.TempDir(), "killed")
		kills := 0
		for {
			at := 1 + rand.Int64N(pages) // behind the last page: during publication, or never
			if kills == 20 {
				at = 0
			}
			out, message, code := f.take(dir, at)
			if code == 0 {
				f.whole(dir, out, rows)
				break
			}
			if kills++; code != -1 {
				t.Fatalf("exit code %d: %s", code, message)
			}
		}
		t.Logf("%d kills", kills)
	}
}

// A take on a full disk fails with that reason, and is resumed once there is free space.
func TestTakeOnFullDisk(t *testing.T) {
	t.Parallel()
	f := newFar(t, 60_000)
	calm := filepath.Join(t.TempDir(), "calm")
	if _, message, code := f.take(calm, 0); code != 0 {
		t.Fatal(message)
	}
	rows := f.rows(calm)
	disk := smallDisk(t, "400k")
	dir := filepath.Join(disk, "report")
	for range 2 {
		_, message, code := f.take(dir, 0)
		if code != 1 || !strings.Contains(message, "no space left on device") || !strings.Contains(message, "the same command resumes") {
			t.Fatalf("exit code %d: %s", code, message)
		}
	}
	if out, err := exec.Command("mount", "-o", "remount,size=40m", disk).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	out, message, code := f.take(dir, 0)
	if code != 0 || !strings.Contains(message, "resuming the take") {
		t.Fatalf("exit code %d: %s", code, message)
	}
	f.whole(dir, out, rows)
}
