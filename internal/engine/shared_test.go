package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// A sharing has the results of several runs that share the slices of a listing.
type sharing struct {
	members  []engine.Member
	runPlans []engine.RunPlan
	results  [][]engine.SliceResult
	own      [][]engine.Slice // that a member scans alone
	left     []bool           // a member scans alone what has not been scanned
	numbers  int
}

// leave lets a member scan some slices alone, which were planned for all.
func (s *sharing) leave(i int, waiting []engine.Slice) {
	s.left[i] = true
	for _, slice := range waiting {
		slice.Segment.Prefix = s.members[i].Job.Configuration.Filter.Prefix
		slice.Number, slice.Shards = 1<<40+s.numbers, 0
		s.numbers++
		s.own[i] = append(s.own[i], slice)
	}
}

// scan scans all slices in some order. ending says which members leave before a slice.
func (s *sharing) scan(t tb, src engine.Source, random *rand.Rand, waiting []engine.Slice, ending func(slice int) (member int)) {
	t.Helper()
	for n := 0; len(waiting) > 0; n++ {
		if i := ending(n); i >= 0 && !s.left[i] {
			s.leave(i, waiting)
		}
		k := random.IntN(len(waiting))
		slice := waiting[k]
		waiting = slices.Delete(waiting, k, k+1)
		var members []engine.Member
		var of []int
		for i, m := range s.members {
			if !s.left[i] {
				m.Job.Attempt = n + 1
				members, of = append(members, m), append(of, i)
			}
		}
		if len(members) == 0 {
			return
		}
		outcomes, rest, err := engine.ScanSliceTogether(t.Context(), src, members, through(t, slice))
		if err != nil {
			t.Fatal(err)
		}
		for k, o := range outcomes {
			if i := of[k]; o.Err == nil {
				s.results[i] = append(s.results[i], through(t, o.Results)...)
			} else {
				s.leave(i, append(slices.Clone(waiting), slice))
			}
		}
		for i := range rest {
			parts := rest[i].Shares(1+random.IntN(3), s.numbers)
			s.numbers += len(parts)
			waiting = append(waiting, parts...)
		}
	}
}

// alone scans the rest of a member that has left.
func (s *sharing) alone(t tb, src engine.Source, i int) {
	t.Helper()
	m := s.members[i]
	m.Job.Attempt = 1000
	for len(s.own[i]) > 0 {
		slice := s.own[i][0]
		s.own[i] = s.own[i][1:]
		results, err := engine.ScanSlice(t.Context(), src, m.Destination, m.Job, through(t, slice), m.Options)
		if err != nil {
			t.Fatal(err)
		}
		s.results[i] = append(s.results[i], through(t, results)...)
		for k := range results {
			if rest, more := results[k].Rest(); more {
				s.own[i] = append(s.own[i], rest)
			}
		}
	}
}

// Runs that share the slices of a listing write the same reports as separate runs,
// with about the requests of one. A run that leaves, or whose destination fails,
// scans the rest alone, and does not affect the others.
func TestSlicesTogether(t *testing.T) {
	for seed, shape := range []string{"skewed", "deep", "nested", "deep", "skewed"} {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 0))
			f, job := newFar(t, shape, 900)
			configurations := []func(*stocktake.InventoryConfiguration){
				func(c *stocktake.InventoryConfiguration) { c.Filter.Prefix = "main/data/3" },
				func(c *stocktake.InventoryConfiguration) {},
				func(c *stocktake.InventoryConfiguration) {
					c.IncludedObjectVersions, c.OptionalFields = stocktake.CurrentVersions, nil
				},
				func(c *stocktake.InventoryConfiguration) { c.Filter.LowerSizeBound, c.Filter.Prefix = 1<<18, "a0" },
			}
			opts := small
			opts.EmptyManifest, opts.Workers, opts.MinSegment = true, 4, 20
			opts.Limits = report.Limits{Rows: 200, PieceRows: 40}
			singles, shared := membucket.New(nil, "reports").Bucket("reports"), membucket.New(nil, "reports").Bucket("reports")
			var alone []engine.Result
			var members []engine.Member
			most := 0
			for i, edit := range configurations {
				j := job
				j.Run, j.Configuration.ID = j.Run+string(rune('a'+i)), j.Configuration.ID+string(rune('a'+i))
				edit(&j.Configuration)
				before := f.pages
				result, err := engine.Run(t.Context(), f, singles, j, opts)
				if err != nil {
					t.Fatal(err)
				}
				alone, most = append(alone, result), max(most, f.pages-before)
				o := opts
				o.Slice = engine.Budget{Time: 400 * time.Millisecond}
				o.Progress = new(engine.Progress)
				members = append(members, engine.Member{Destination: shared, Job: j, Options: o})
			}
			failing, mended := 0, false
			broken := members[1]
			broken.Job.Run, broken.Job.Configuration.ID = "broken", "broken"
			broken.Destination = faultyDestination{shared, &faults{on: func(_ int, op string) fault {
				if !mended && strings.HasPrefix(op, "Commit") && strings.HasSuffix(op, ".csv.gz") {
					if failing++; failing > 1 {
						return fails
					}
				}
				return none
			}}}
			if seed%2 == 1 {
				members = append(members, broken)
				alone = append(alone, alone[1])
			}
			before := f.pages
			cut, plans, err := engine.PlanTogether(t.Context(), f, members)
			if err != nil {
				t.Fatal(err)
			}
			s := &sharing{members: members, results: make([][]engine.SliceResult, len(members)), own: make([][]engine.Slice, len(members)), left: make([]bool, len(members)), numbers: len(cut)}
			for i := range plans {
				if plans[i].Err != nil {
					t.Fatal(plans[i].Err)
				}
				s.runPlans = append(s.runPlans, through(t, plans[i].Plan))
			}
			leaves := func(int) int { return -1 }
			if seed >= 3 {
				leaves = func(n int) int { return []int{-1, 2, -1, 0}[min(n, 3)] }
			}
			s.scan(t, f, random, cut, leaves)
			if took := f.pages - before; seed < 3 && took > 2*most { // four separate runs take more than three times as many
				t.Errorf("%s: together they took %d pages, the largest alone %d", shape, took, most)
			}
			mended = true
			for i := range members {
				s.alone(t, f, i)
				r, err := engine.Publish(t.Context(), members[i].Destination, members[i].Job, s.runPlans[i], s.results[i], members[i].Options)
				if err != nil {
					t.Fatalf("%s, run %d: %v", shape, i, err)
				}
				if a, b := alone[i].Summary, r.Summary; a.Matched != b.Matched || a.Bytes != b.Bytes || a.Files == nil != (b.Files == nil) {
					t.Errorf("%s, run %d: %d rows of %d bytes, alone %d of %d", shape, i, b.Matched, b.Bytes, a.Matched, a.Bytes)
				}
				if got, want := reportRows(t, shared, r.Manifest), reportRows(t, singles, alone[i].Manifest); got != want {
					t.Errorf("%s, run %d: the rows differ", shape, i)
				}
				named := map[string]bool{}
				for _, f := range r.Summary.Files {
					named[f.Key] = true
				}
				for _, key := range keys(t, shared) {
					if strings.Contains(key, "/"+members[i].Job.Configuration.ID+"/data/") && !named[key] {
						t.Errorf("%s, run %d: %s is left", shape, i, key)
					}
				}
			}
		})
	}
}

// If the listing of a slice fails, no run has a result, and no file is left.
func TestSlicesTogetherFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, job := newFar(t, "flat", 500)
		f.fail = 20
		dst := membucket.New(nil, "reports").Bucket("reports")
		other := job
		other.Run, other.Configuration.ID = "other", "other"
		outcomes, rest, err := engine.ScanSliceTogether(t.Context(), f, []engine.Member{{Destination: dst, Job: job, Options: small}, {Destination: dst, Job: other, Options: small}}, engine.Slice{})
		if !errors.Is(err, errBoom) || outcomes != nil || rest != nil {
			t.Errorf("%v, %v, error %v", outcomes, rest, err)
		}
		checkNothing(t, dst)
	})
}

// A run that is ended removes its files at once, and the others continue: while the
// store has not answered, and during the listing. If all are ended, no files and no
// error are left.
func TestSlicesTogetherEnd(t *testing.T) {
	for _, when := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second} {
		for _, all := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f, job := newFar(t, "flat", 900)
				src := &slowSource{f, 400 * time.Millisecond}
				f.latency = func(string, string) time.Duration { return 300 * time.Millisecond }
				dst := membucket.New(nil, "reports").Bucket("reports")
				members, ended := membersThatEnd(t, dst, job, when, all)
				outcomes, rest, err := engine.ScanSliceTogether(t.Context(), src, members, engine.Slice{})
				if err != nil || (len(rest) == 0) != all {
					t.Fatalf("ended after %v: %d results, %v", when, len(rest), err)
				}
				for i, o := range outcomes {
					switch stopped := i == 1 || all; {
					case stopped && (!errors.Is(o.Err, context.Canceled) || ended[i] != when):
						t.Errorf("ended after %v: run %d has %v after %v", when, i, o.Err, ended[i])
					case !stopped && (o.Err != nil || len(o.Results) != 1 || o.Results[0].Totals.Rows != 900):
						t.Errorf("ended after %v: run %d has %+v, %v", when, i, o.Results, o.Err)
					}
				}
				for _, key := range keys(t, dst) {
					if all || strings.Contains(key, "/id-1/") {
						t.Errorf("ended after %v: %s is left", when, key)
					}
				}
			})
		}
	}
}
