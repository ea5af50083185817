package inventory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/report"
)

// folder is a destination that outlives its process.
type folder string

func (f folder) path(key string) string { return filepath.Join(string(f), filepath.FromSlash(key)) }

func (f folder) Create(_ context.Context, key string, _ engine.FileOptions) (engine.File, error) {
	if err := os.MkdirAll(filepath.Dir(f.path(key)), 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(string(f), ".part-*")
	return &part{file, f.path(key)}, err
}

func (f folder) Open(_ context.Context, key string) (io.ReadCloser, error) {
	return os.Open(f.path(key))
}

func (f folder) OpenRange(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	raw, err := os.ReadFile(f.path(key))
	if err == nil && (offset < 0 || offset >= int64(len(raw))) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if length < 0 {
		length = int64(len(raw))
	}
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(raw), offset, length)), nil
}

func (f folder) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var keys []string
		err := filepath.WalkDir(string(f), func(path string, d fs.DirEntry, err error) error {
			key := filepath.ToSlash(strings.TrimPrefix(path, string(f)+"/"))
			if err == nil && !d.IsDir() && strings.HasPrefix(key, prefix) && !strings.HasPrefix(key, ".part-") {
				keys = append(keys, key)
			}
			return err
		})
		if err != nil {
			yield("", err)
			return
		}
		slices.Sort(keys)
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (f folder) Remove(_ context.Context, key string) error {
	if err := os.Remove(f.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

type part struct {
	*os.File
	path string
}

func (p *part) Commit(context.Context, [16]byte) error {
	return errors.Join(p.Close(), os.Rename(p.Name(), p.path))
}

func (p *part) Abort() error {
	_ = p.Close()
	if err := os.Remove(p.Name()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (folder) Room(context.Context) (int64, error) { return -1, nil }

// onDisk are the stores of a process that is killed: so many objects, and a
// folder for the reports.
type onDisk struct {
	objects int64
	reports folder
}

func (d onDisk) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return membucket.Uniform(d.objects), nil
}

func (d onDisk) Destination(context.Context, *stocktake.InventoryConfiguration) (engine.Destination, error) {
	return d.reports, os.MkdirAll(string(d.reports), 0o700)
}

// killEnv tells a process of these tests what to be.
const killEnv = "STOCKTAKE_TEST_KILL"

// A life is what a process of these tests is.
type life struct {
	Dir     string
	Step    string // at which it kills itself; empty: none
	Objects int64  // of the source
	Power   bool   // it keeps what of the catalog survives a power failure
}

// steps are where a process can be killed.
var steps = []string{
	"put", "scanning", string(engine.Recovered), string(engine.Planned), string(engine.ShardCreated), string(engine.ShardCommitted),
	string(engine.Scanned), string(engine.Recorded), string(engine.SummaryDone), string(engine.ChecksumDone), string(engine.ManifestDone), "ended",
}

// live lives l in a process of its own.
func (l life) live() error {
	about, err := json.Marshal(l)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEachStep$")
	cmd.Env = append(os.Environ(), killEnv+"="+string(about))
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// die is live for a life that ends at its step.
func (l life) die(t *testing.T) {
	t.Helper()
	err := l.live()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process was not killed: %v", err)
	}
}

// TestKilledAtEachStep kills the process, as kill -9 does, at each step of a
// run. The next process finishes it: there is one report, whole, and nothing else.
func TestKilledAtEachStep(t *testing.T) {
	if about := os.Getenv(killEnv); about != "" {
		var l life
		err := json.Unmarshal([]byte(about), &l)
		if err == nil {
			err = l.here()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			l := life{Dir: t.TempDir(), Step: step, Objects: 1000}
			l.die(t)
			l.Step = ""
			if err := l.live(); err != nil {
				t.Fatal(err)
			}
			checkOneReport(t, l.reports(), l.Objects)
		})
	}
}

func (l life) reports() folder { return folder(filepath.Join(l.Dir, "reports")) }

// here is a server that puts a configuration, unless it is there, and lives until
// its run has ended, or to the step.
func (l life) here() error {
	ctx := context.Background()
	die := func(at string) {
		if at == l.Step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it comes in a moment
		}
	}
	cat, err := sqlite.Open(ctx, filepath.Join(l.Dir, "catalog.db"))
	if err != nil {
		return err
	}
	var kept inventory.Catalog = cat
	if l.Power {
		kept = &survivor{cat, l.Dir}
	}
	states := make(chan stocktake.Run, 10)
	s, err := inventory.New(ctx, kept, newBuckets("photos"), &local.Runner{
		Stores: onDisk{l.Objects, l.reports()},
		Options: engine.Options{
			Log: quiet, Workers: 1, Limits: report.Limits{Rows: 300}, EmptyManifest: true,
			Failpoint: func(s engine.Step) { die(string(s)) },
		},
	}, inventory.Options{Log: quiet, Observer: changes(func(r stocktake.Run) {
		die(string(r.State))
		states <- r
	})})
	if err != nil {
		return err
	}
	cfg := configuration("daily", stocktake.Schedule{Frequency: stocktake.Once})
	cfg.Filter.Prefix = ""
	if err := s.Put(ctx, "photos", cfg); err != nil && !errors.Is(err, stocktake.ErrInventoryExists) {
		return err
	}
	die("put")
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving) }()
	runs, err := s.Runs(ctx, "photos", "daily")
	if err != nil {
		return err
	}
	last := runs[0]
	for !last.State.Ended() {
		last = <-states
	}
	die("ended")
	stop()
	if last.State != stocktake.Succeeded {
		err = fmt.Errorf("the run ended %s: %s", last.State, last.Reason)
	}
	return errors.Join(err, <-served, cat.Close())
}

// changes is an Observer.
type changes func(stocktake.Run)

func (c changes) RunChanged(r stocktake.Run) { c(r) }

func checkOneReport(t *testing.T, f folder, objects int64) {
	t.Helper()
	var keys []string
	for key, err := range f.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	i := slices.IndexFunc(keys, func(k string) bool { return strings.HasSuffix(k, report.ManifestName) })
	if i < 0 {
		t.Fatalf("no report, but %q", keys)
	}
	v, err := report.Verify(t.Context(), f, keys[i], report.VerifyOptions{})
	if err != nil || len(v.Findings) != 0 {
		t.Errorf("%s: %+v, %v", keys[i], v, err)
	}
	r, err := report.Open(t.Context(), f, keys[i])
	if err != nil {
		t.Fatal(err)
	}
	if want := len(r.Manifest.Files) + 3; len(keys) != want || r.Summary.Matched != objects {
		t.Errorf("%d rows; %d files, want %d: %q", r.Summary.Matched, len(keys), want, keys)
	}
}
