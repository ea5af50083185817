package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// reportRows returns the rows of a report as text.
func reportRows(t *testing.T, dst engine.Destination, manifest string) string {
	t.Helper()
	rep, err := report.Open(t.Context(), dst, manifest)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for row, err := range rep.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range row.Values() {
			b.Write(v)
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Runs that share a listing write the same reports as separate runs, with about the
// requests of one. A run whose destination fails does not disturb the others.
func TestRunTogether(t *testing.T) {
	for _, shape := range []string{"skewed", "deep"} {
		synctest.Test(t, func(t *testing.T) {
			f, job := newFar(t, shape, 900)
			configurations := []func(*stocktake.InventoryConfiguration){
				func(c *stocktake.InventoryConfiguration) {},
				func(c *stocktake.InventoryConfiguration) { c.Filter.Prefix = "main/data/3" },
				func(c *stocktake.InventoryConfiguration) {
					c.Filter.Prefix, c.IncludedObjectVersions = "big-0", stocktake.CurrentVersions
				},
				func(c *stocktake.InventoryConfiguration) { c.Filter.LowerSizeBound, c.Filter.Prefix = 1<<18, "a0" },
			}
			opts := small
			opts.EmptyManifest = true
			opts.Limits = report.Limits{Rows: 200, PieceRows: 40}
			var members []engine.Member
			var alone []engine.Result
			var pages []int
			singles := membucket.New(nil, "reports").Bucket("reports")
			shared := membucket.New(nil, "reports").Bucket("reports")
			for i, edit := range configurations {
				j := job
				j.Run += string(rune('a' + i))
				j.Configuration.ID += string(rune('a' + i))
				edit(&j.Configuration)
				before := f.pages
				result, err := engine.Run(t.Context(), f, singles, j, opts)
				if err != nil {
					t.Fatal(err)
				}
				alone, pages = append(alone, result), append(pages, f.pages-before)
				members = append(members, engine.Member{Destination: shared, Job: j, Options: opts})
			}
			broken := members[0]
			broken.Job.Run, broken.Job.Configuration.ID = "broken", "broken"
			broken.Destination = faultyDestination{shared, &faults{on: func(_ int, op string) fault {
				if strings.HasPrefix(op, "Commit") && strings.HasSuffix(op, ".csv.gz") {
					return fails
				}
				return none
			}}}
			members = append(members, broken)

			before := f.pages
			outcomes := engine.RunTogether(t.Context(), f, members)
			if took := f.pages - before; took > pages[0]+pages[0]/4 {
				t.Errorf("%s: together they took %d pages, the largest alone %d", shape, took, pages[0])
			}
			for i, o := range outcomes[:len(alone)] {
				if o.Err != nil {
					t.Fatalf("%s, run %d: %v", shape, i, o.Err)
				}
				if a, b := alone[i].Summary, o.Result.Summary; a.Matched != b.Matched || a.Bytes != b.Bytes {
					t.Errorf("%s, run %d: %d rows of %d bytes, alone %d of %d", shape, i, b.Matched, b.Bytes, a.Matched, a.Bytes)
				}
				if got, want := reportRows(t, shared, o.Result.Manifest), reportRows(t, singles, alone[i].Manifest); got != want {
					t.Errorf("%s, run %d: the rows differ", shape, i)
				}
			}
			if err := outcomes[len(alone)].Err; !errors.Is(err, errBoom) {
				t.Errorf("the run whose destination fails: %v", err)
			}
			for _, key := range keys(t, shared) {
				if strings.Contains(key, "/broken/") {
					t.Errorf("%s is left", key)
				}
			}
		})
	}
}

// If the listing fails, all runs fail, and leave no files.
func TestRunTogetherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, job := newFar(t, "flat", 500)
		f.fail = 20
		dst := membucket.New(nil, "reports").Bucket("reports")
		other := job
		other.Run, other.Configuration.ID = "other", "other"
		for _, o := range engine.RunTogether(t.Context(), f, []engine.Member{{Destination: dst, Job: job, Options: small}, {Destination: dst, Job: other, Options: small}}) {
			if !errors.Is(o.Err, errBoom) {
				t.Errorf("error %v", o.Err)
			}
		}
		checkNothing(t, dst)
	})
}

// Runs of a source that has no pages are made one after the other.
func TestRunTogetherWithoutPages(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	job, other := newJob(), newJob()
	other.Run, other.Configuration.ID = "other", "other"
	for _, o := range engine.RunTogether(t.Context(), store, []engine.Member{{Destination: dst, Job: job, Options: small}, {Destination: dst, Job: other, Options: small}}) {
		if o.Err != nil || o.Result.Summary.Matched != objects {
			t.Errorf("%d rows, %v", o.Result.Summary.Matched, o.Err)
		}
	}
}

// membersThatEnd returns three runs, the second or all of which end after a while, and
// the time after which each has ended.
func membersThatEnd(t *testing.T, dst engine.Destination, job engine.Job, when time.Duration, all bool) (members []engine.Member, ended []time.Duration) {
	begin := time.Now()
	ended = make([]time.Duration, 3)
	for i := range ended {
		j := job
		j.Run, j.Configuration.ID = fmt.Sprint("run-", i), fmt.Sprint("id-", i)
		ctx := t.Context()
		if i == 1 || all {
			c, cancel := context.WithCancel(ctx)
			t.Cleanup(cancel)
			time.AfterFunc(when, cancel)
			ctx = c
		}
		members = append(members, engine.Member{
			Context: ctx, Destination: dst, Job: j, Options: small,
			Ended: func(engine.Outcome) { ended[i] = time.Since(begin) },
		})
	}
	return members, ended
}

// A run that is ended removes its files at once, and the others continue: while the
// store has not answered, and during the listing. If all are ended, the listing ends.
func TestRunTogetherEnds(t *testing.T) {
	for _, when := range []time.Duration{0, 500 * time.Millisecond, 3 * time.Second} {
		for _, all := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f, job := newFar(t, "flat", 900) // 90 pages, 8 at once
				src := &slowSource{f, 400 * time.Millisecond}
				dst := membucket.New(nil, "reports").Bucket("reports")
				f.latency = func(string, string) time.Duration { return 300 * time.Millisecond }
				members, ended := membersThatEnd(t, dst, job, when, all)
				outcomes := engine.RunTogether(t.Context(), src, members)
				for i, o := range outcomes {
					stopped := i == 1 || all
					switch {
					case stopped && (!errors.Is(o.Err, context.Canceled) || ended[i] != when):
						t.Errorf("ended after %v: run %d has %v after %v", when, i, o.Err, ended[i])
					case !stopped && (o.Err != nil || o.Result.Summary.Matched != 900):
						t.Errorf("ended after %v: run %d has %d rows, %v", when, i, o.Result.Summary.Matched, o.Err)
					}
				}
				for _, key := range keys(t, dst) {
					if all || strings.Contains(key, "/id-1/") {
						t.Errorf("ended after %v: %s is left", when, key)
					}
				}
				if all && f.pages >= 90 {
					t.Errorf("ended after %v: %d pages are listed for no report", when, f.pages)
				}
			})
		}
	}
}

// A slowSource takes a while until it can be listed.
type slowSource struct {
	*farSource
	wait time.Duration
}

func (s *slowSource) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	select {
	case <-time.After(s.wait):
		return s.farSource.Snapshot(ctx, bucket)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
