package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// A ledger keeps the first record of a run.
type ledger struct{ kept []byte }

func (l *ledger) record(_ context.Context, report []byte) ([]byte, error) {
	if l.kept == nil {
		l.kept = bytes.Clone(report)
	}
	return l.kept, nil
}

// manifests returns the manifests in dst, by their keys.
func manifests(t tb, dst *membucket.Bucket) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for key, content := range files(t, dst) {
		if strings.HasSuffix(key, report.ManifestName) {
			m[key] = content
		}
	}
	return m
}

// A run is killed at each step in turn. Once its report is recorded, later attempts
// publish exactly that report, although the bucket has changed; before, they make a
// new report of the current objects.
func TestRecordedReportIsPublished(t *testing.T) {
	for n := 1; ; n++ {
		store := newStore(objects)
		dst := store.Bucket("reports")
		var l ledger
		var killed engine.Step
		attempt := func(number, at int) (engine.Result, error) {
			dead, steps := false, 0
			f := &faults{on: func(int, string) fault {
				if dead {
					return fails
				}
				return none
			}}
			opts := small
			opts.Workers, opts.Record = 1, l.record
			opts.Failpoint = func(s engine.Step) {
				if steps++; steps == at {
					f.mu.Lock()
					defer f.mu.Unlock()
					dead, killed = true, s
				}
			}
			job := newJob()
			job.Attempt, job.Recorded = number, bytes.Clone(l.kept)
			return engine.Run(t.Context(), store, faultyDestination{dst, f}, job, opts)
		}
		killed = ""
		attempt(1, n)
		if killed == "" {
			break
		}
		first := killed
		t.Run(fmt.Sprintf("%d %s", n, first), func(t *testing.T) {
			rows, recorded := int64(objects+1), l.kept
			if recorded != nil {
				rows--
			}
			store.Bucket("photos").Put(stocktake.Record{Key: []byte("album/late")})
			attempt(2, n/3+1)
			result, err := attempt(3, 0)
			if err != nil {
				t.Fatal(err)
			}
			checkWhole(t, dst, result.Manifest, rows)
			if recorded != nil && !bytes.Equal(l.kept, recorded) {
				t.Error("something else has been recorded")
			}
			if got := manifests(t, dst); len(got) != 1 {
				t.Errorf("manifests %q", got)
			}
		})
	}
}

// An owner is paused at a step of its publishing and resumes when another attempt has
// published its record. It changes nothing, whether it continues or its context has
// ended.
func TestOldOwnerComesBack(t *testing.T) {
	for _, step := range []engine.Step{engine.Recorded, engine.SummaryDone, engine.ChecksumDone} {
		for _, ends := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ends %v", step, ends), func(t *testing.T) {
				store := newStore(objects)
				dst := store.Bucket("reports")
				var l ledger
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				opts := small
				opts.Record = l.record
				var before map[string]string
				opts.Failpoint = func(s engine.Step) {
					if s != step {
						return
					}
					job := newJob()
					job.Attempt, job.Recorded = 2, l.kept
					second, err := engine.Run(t.Context(), store, dst, job, small)
					if err != nil {
						t.Fatal(err)
					}
					checkWhole(t, dst, second.Manifest, objects)
					before = files(t, dst)
					if ends {
						cancel()
					}
				}
				_, err := engine.Run(ctx, store, dst, newJob(), opts)
				// Before it writes manifest.json it may find it there.
				if err != nil && (!ends || !errors.Is(err, context.Canceled)) {
					t.Errorf("error %v", err)
				}
				if fmt.Sprint(files(t, dst)) != fmt.Sprint(before) {
					t.Errorf("the old owner has left\n%q, there was\n%q", keys(t, dst), before)
				}
			})
		}
	}
}

// A pausedOwner is paused when it begins to write a file of a given name, or when it
// has written it, while another action takes place.
type pausedOwner struct {
	engine.Destination
	before, after string
	meanwhile     func()
}

func (d pausedOwner) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	if name == d.before {
		d.meanwhile()
	}
	f, err := d.Destination.Create(ctx, key, opts)
	if name == d.after && err == nil {
		f = pausedFile{f, d.meanwhile}
	}
	return f, err
}

type pausedFile struct {
	engine.File
	meanwhile func()
}

func (f pausedFile) Commit(ctx context.Context, sum [16]byte) error {
	err := f.File.Commit(ctx, sum)
	f.meanwhile()
	return err
}

// An owner is paused while it publishes, for so long that its run is abandoned and
// cleaned. At whichever step it was paused, no manifest without its shards exists
// after it has resumed.
func TestGivenUpWhilePublishing(t *testing.T) {
	for _, name := range []string{report.ChecksumName, report.ManifestName} {
		for _, where := range []string{"before", "after"} {
			t.Run(where+" "+name, func(t *testing.T) {
				store := newStore(objects)
				dst := store.Bucket("reports")
				var l ledger
				opts := small
				opts.Record = l.record
				owner := pausedOwner{Destination: dst, meanwhile: func() {
					if err := engine.CleanAttempts(t.Context(), dst, newJob(), small); err != nil {
						t.Error(err)
					}
				}}
				if where == "before" {
					owner.before = name
				} else {
					owner.after = name
				}
				result, err := engine.Run(t.Context(), store, owner, newJob(), opts)
				switch left := manifests(t, dst); {
				case where == "after" && name == report.ManifestName: // it was too late to give up
					if err != nil || len(left) != 1 {
						t.Errorf("manifests %v, %v", left, err)
					}
					v, err := report.Verify(t.Context(), dst, result.Manifest, report.VerifyOptions{})
					if err != nil || !v.OK {
						t.Errorf("%+v, %v", v, err)
					}
				case !errors.Is(err, engine.ErrGivenUp) || len(left) != 0:
					t.Errorf("manifests %v, %v", left, err)
				}
			})
		}
	}
}

// If two attempts scan at once, each publishes the first record, and the shards of
// the other are removed.
func TestFirstRecordWins(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	var l ledger
	other := func() error {
		opts := small
		opts.Record = l.record
		runPlan, err := engine.Plan(t.Context(), store, dst, newJob(), opts)
		if err != nil {
			return err
		}
		job := newJob()
		job.Attempt = 2
		results, err := engine.ScanSlice(t.Context(), store, dst, job, engine.Slice{}, opts)
		if err != nil {
			return err
		}
		// The attempt records its report, and dies before it writes anything.
		opts.Failpoint = func(s engine.Step) {
			if s == engine.Recorded {
				panic(s)
			}
		}
		defer func() { _ = recover() }()
		job.Attempt = 3
		_, err = engine.Publish(t.Context(), keepShards{dst}, job, runPlan, results, opts)
		return err
	}
	opts := small
	opts.Record = func(ctx context.Context, report []byte) ([]byte, error) {
		if err := other(); err != nil {
			return nil, err
		}
		return l.record(ctx, report)
	}
	result, err := engine.Run(t.Context(), store, dst, newJob(), opts)
	if err != nil {
		t.Fatal(err)
	}
	checkWhole(t, dst, result.Manifest, objects)
}

// keepShards keeps the shards of an attempt that still scans when another attempt
// removes them.
type keepShards struct{ engine.Destination }

func (keepShards) Remove(context.Context, string) error { return nil }

// If a recorded report has lost a shard, the run can no longer succeed, and says so;
// after it has been abandoned no file is left.
func TestRecordedReportLost(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	var l ledger
	opts := small
	opts.Record = func(ctx context.Context, report []byte) ([]byte, error) {
		kept, _ := l.record(ctx, report)
		for _, key := range keys(t, dst)[:1] {
			if err := dst.Remove(ctx, key); err != nil {
				return nil, err
			}
		}
		return kept, errBoom
	}
	if _, err := engine.Run(t.Context(), store, dst, newJob(), opts); !errors.Is(err, errBoom) {
		t.Fatal(err)
	}
	checkNothing(t, dst)
	job := newJob()
	job.Attempt, job.Recorded = 2, l.kept
	if _, err := engine.Run(t.Context(), store, dst, job, small); !errors.Is(err, engine.ErrRecordedLost) {
		t.Errorf("error %v, want %v", err, engine.ErrRecordedLost)
	}
	if err := engine.CleanAttempts(t.Context(), dst, job, small); err != nil {
		t.Error(err)
	}
	checkNothing(t, dst)
	job.Recorded = []byte("not a report")
	if _, err := engine.Run(t.Context(), store, dst, job, small); err == nil {
		t.Error("what is not a report was published")
	}
}

// A run that fails after it has recorded its report leaves it to the next
// attempt, or to CleanAttempts.
func TestRecordedRunFails(t *testing.T) {
	for _, clean := range []bool{false, true} {
		store := newStore(objects)
		dst := store.Bucket("reports")
		var l ledger
		opts := small
		opts.Record = l.record
		f := &faults{on: func(_ int, op string) fault {
			if strings.HasPrefix(op, "Create") && strings.HasSuffix(op, report.ManifestName) {
				return fails
			}
			return none
		}}
		if _, err := engine.Run(t.Context(), store, faultyDestination{dst, f}, newJob(), opts); !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		job := newJob()
		job.Attempt, job.Recorded = 2, l.kept
		if clean {
			if err := engine.CleanAttempts(t.Context(), dst, job, small); err != nil {
				t.Error(err)
			}
			checkNothing(t, dst)
			continue
		}
		result, err := engine.Run(t.Context(), store, dst, job, small)
		if err != nil {
			t.Fatal(err)
		}
		checkWhole(t, dst, result.Manifest, objects)
	}
}
