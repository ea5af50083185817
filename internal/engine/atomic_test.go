package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// small makes many segments and shards of few records.
var small = engine.Options{Workers: 2, MinSegment: 5, Limits: report.Limits{Rows: 3}, Log: quiet}

const objects = 20

// Each operation of source and destination fails once, or succeeds with its answer
// lost: a complete report exists or nothing at all, and the error says which.
func TestRunIsAllOrNothing(t *testing.T) {
	for _, kind := range []fault{fails, lost} {
		for n := 1; ; n++ {
			store := newStore(objects)
			dst := store.Bucket("reports")
			var op string
			f := faultAt(n, kind, &op)
			result, err := engine.Run(t.Context(), faultySource{store, f}, faultyDestination{dst, f}, newJob(), small)
			t.Run(fmt.Sprintf("%d/%d %s", kind, n, op), func(t *testing.T) {
				if err == nil {
					checkWhole(t, dst, result.Manifest, objects)
					return
				}
				if !errors.Is(err, errBoom) {
					t.Errorf("error %v", err)
				}
				checkNothing(t, dst)
			})
			if lostManifest := kind == lost && strings.HasPrefix(op, "Commit") && strings.HasSuffix(op, report.ManifestName); lostManifest && err != nil {
				t.Errorf("the manifest is written, but the run returned %v", err)
			}
			if op == "" { // n is past the last operation, so every one has now failed once
				if err != nil {
					t.Errorf("nothing failed: %v", err)
				}
				break
			}
		}
	}
}

// ctx ends before each operation in turn.
func TestRunCancelled(t *testing.T) {
	for n := 1; ; n++ {
		store := newStore(objects)
		dst := store.Bucket("reports")
		ctx, cancel := context.WithCancel(t.Context())
		f := &faults{on: func(i int, _ string) fault {
			if i == n {
				cancel()
			}
			return none
		}}
		result, err := engine.Run(ctx, faultySource{store, f}, faultyDestination{dst, f}, newJob(), small)
		cancelled := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			checkWhole(t, dst, result.Manifest, objects)
		case !errors.Is(err, context.Canceled):
			t.Errorf("cancelled at operation %d %s: error %v", n, f.names[n-1], err)
		default:
			checkNothing(t, dst)
		}
		if !cancelled {
			break
		}
	}
}

// A run is killed at each step in turn, at steps of shards for each shard: from then
// on no operation reaches the destination, not even a removal. The next attempt
// leaves exactly one report, even if it was killed once itself.
func TestRunKilled(t *testing.T) {
	for n := 1; ; n++ {
		var killed engine.Step
		store := newStore(objects)
		dst := store.Bucket("reports")
		kill := func(attempt, at int) (engine.Result, error) {
			dead := false
			f := &faults{on: func(int, string) fault {
				if dead {
					return fails
				}
				return none
			}}
			opts := small
			opts.Workers = 1 // so that steps come in the same order each time
			steps := 0
			opts.Failpoint = func(s engine.Step) {
				if steps++; steps == at {
					f.mu.Lock()
					dead, killed = true, s
					f.mu.Unlock()
				}
			}
			job := newJob()
			job.Attempt = attempt
			return engine.Run(t.Context(), store, faultyDestination{dst, f}, job, opts)
		}
		killed = ""
		kill(1, n)
		if killed == "" {
			break
		}
		first := killed
		t.Run(fmt.Sprintf("%d %s", n, first), func(t *testing.T) {
			kill(2, n/2+1)
			result, err := kill(3, 0)
			if err != nil {
				t.Fatal(err)
			}
			if result.Resumed != (first == engine.ManifestDone) {
				t.Errorf("resumed %v", result.Resumed)
			}
			checkWhole(t, dst, result.Manifest, objects)
			again, err := kill(4, 0)
			if err != nil || !again.Resumed || again.Manifest != result.Manifest || again.Summary.Matched != objects {
				t.Errorf("one attempt too many: %+v, %v", again, err)
			}
			checkWhole(t, dst, result.Manifest, objects)
		})
	}
}

// CleanAttempts removes all files of a killed run except those of a report that
// it has published, and touches nothing else.
func TestCleanAttempts(t *testing.T) {
	for n := 1; ; n++ {
		store := newStore(objects)
		dst := store.Bucket("reports")
		before, err := engine.Run(t.Context(), store, dst, engine.Job{
			Run: "run-0", Attempt: 1, Bucket: "photos", Configuration: newJob().Configuration,
		}, small)
		if err != nil {
			t.Fatal(err)
		}
		old := keys(t, dst)
		var killed engine.Step
		f := &faults{on: func(int, string) fault {
			if killed != "" {
				return fails
			}
			return none
		}}
		opts := small
		opts.Workers = 1
		steps := 0
		opts.Failpoint = func(s engine.Step) {
			if steps++; steps == n {
				f.mu.Lock()
				killed = s
				f.mu.Unlock()
			}
		}
		result, _ := engine.Run(t.Context(), store, faultyDestination{dst, f}, newJob(), opts)
		if err := engine.CleanAttempts(t.Context(), dst, newJob(), small); err != nil {
			t.Fatal(err)
		}
		after := keys(t, dst)
		if published := killed == "" || killed == engine.ManifestDone; published {
			if len(after) != 2*len(old) {
				t.Errorf("killed at %s: %q", killed, after)
			}
			if v, err := report.Verify(t.Context(), dst, result.Manifest, report.VerifyOptions{}); err != nil || !v.OK {
				t.Errorf("killed at %s: %+v, %v", killed, v, err)
			}
		} else if fmt.Sprint(after) != fmt.Sprint(old) {
			t.Errorf("killed at %s:\n%q, want\n%q", killed, after, old)
		}
		if v, err := report.Verify(t.Context(), dst, before.Manifest, report.VerifyOptions{}); err != nil || !v.OK {
			t.Errorf("the report before: %+v, %v", v, err)
		}
		if killed == "" {
			break
		}
	}
}

// Operations fail in attempt after attempt, including removals. Readers never find a
// manifest that does not verify, and the first attempt without failures leaves
// exactly one report.
func TestRunThroughManyFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := newStore(objects)
		dst := store.Bucket("reports")
		attempts := rapid.IntRange(1, 4).Draw(t, "attempts")
		for attempt := 1; ; attempt++ {
			faulty := map[int]fault{}
			if attempt <= attempts {
				from := rapid.IntRange(1, 80).Draw(t, "from") // a random number of operations, in a row or not
				for n := range rapid.IntRange(1, 30).Draw(t, "faults") {
					faulty[from+n] = fault(rapid.IntRange(int(none), int(lost)).Draw(t, "fault"))
				}
			}
			f := &faults{on: func(n int, _ string) fault { return faulty[n] }}
			job := newJob()
			job.Attempt = attempt
			result, err := engine.Run(t.Context(), faultySource{store, f}, faultyDestination{dst, f}, job, small)
			for d, err := range report.Directories(t.Context(), dst, report.Location{Prefix: "inv", Bucket: "photos", Configuration: "weekly-1"}) {
				if err != nil {
					t.Fatal(err)
				}
				if d.Manifest {
					v, err := report.Verify(t.Context(), dst, d.Key+report.ManifestName, report.VerifyOptions{})
					if err != nil || !v.OK || len(v.Unchecked) > 0 {
						t.Errorf("attempt %d: %+v, %v", attempt, v, err)
					}
				}
			}
			if attempt > attempts {
				if err != nil {
					t.Fatal(err)
				}
				checkWhole(t, dst, result.Manifest, objects)
				return
			}
		}
	})
}

// The previous report shows where to cut, without requests to the source.
func TestPlanFromTheReportBefore(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	for n, asked := range []bool{true, false} {
		f := &faults{on: func(int, string) fault { return none }}
		job := newJob()
		job.Run = fmt.Sprint("run-", n)
		opts := small
		opts.Workers, opts.Limits.Rows = 3, 2
		result, err := engine.Run(t.Context(), faultySource{store, f}, faultyDestination{dst, f}, job, opts)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(f.names, "Split") != asked {
			t.Errorf("run %d: the source was asked: %v", n, !asked)
		}
		if v, err := report.Verify(t.Context(), dst, result.Manifest, report.VerifyOptions{}); err != nil || !v.OK || v.Rows != objects {
			t.Errorf("%+v, %v", v, err)
		}
	}
}
