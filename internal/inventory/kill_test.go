package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/report"
)

// onDisk are the stores of a process that is killed: a number of objects, and a
// folder for the reports.
type onDisk struct {
	objects int64
	reports string
}

func (d onDisk) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return membucket.Uniform(d.objects), nil
}

func (onDisk) ListingKey(string, *stocktake.InventoryConfiguration) string { return "" }

func (d onDisk) Destination(context.Context, *stocktake.InventoryConfiguration) (engine.Destination, error) {
	if err := os.MkdirAll(d.reports, 0o700); err != nil {
		return nil, err
	}
	return dirbucket.Open(d.reports)
}

// killEnv is the variable that holds the life of a process of these tests.
const killEnv = "STOCKTAKE_TEST_KILL"

// A life describes what a process of these tests does.
type life struct {
	Dir     string
	Step    string // at which it kills itself; empty: none
	Objects int64  // of the source
	Power   bool   // it keeps what of the catalog survives a power failure
}

// steps are the points at which a process can be killed.
var steps = []string{
	"put", "scanning", string(engine.Recovered), string(engine.Planned), string(engine.ShardCreated), string(engine.ShardCommitted),
	string(engine.Scanned), string(engine.Recorded), string(engine.SummaryDone), string(engine.RollupDone), string(engine.ChecksumDone), string(engine.SymlinkDone), string(engine.ManifestDone), "ended",
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

// die is live for a process that is killed at its step.
func (l life) die(t *testing.T) {
	t.Helper()
	err := l.live()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process was not killed: %v", err)
	}
}

// TestKilledAtEachStep kills the process, as kill -9 does, at each step of a
// run. The next process finishes it: exactly one whole report exists.
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

func (l life) reports() string { return filepath.Join(l.Dir, "reports") }

// here is a server that puts a configuration, unless it exists, and runs until
// its run has ended or the step is reached.
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

func checkOneReport(t *testing.T, dir string, objects int64) {
	t.Helper()
	f, err := dirbucket.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
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
	if want := len(r.Manifest.Files) + 5; len(keys) != want || r.Summary.Matched != objects {
		t.Errorf("%d rows; %d files, want %d: %q", r.Summary.Matched, len(keys), want, keys)
	}
}
