package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// through returns v after it was written down in one process and read in another.
func through[V any](t tb, v V) (out V) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// sliced makes the report of job slice by slice, like processes that share only JSON:
// each slice gets an attempt of its own if attempts is set. halve says whether the
// rest of a slice is cut in two.
func sliced(t tb, src engine.Source, dst engine.Destination, job engine.Job, opts engine.Options, attempts bool, pick func(n int) int, halve func() bool) (engine.Result, []engine.SliceResult) {
	t.Helper()
	runPlan, err := engine.Plan(t.Context(), src, dst, job, opts)
	if err != nil {
		t.Fatal(err)
	}
	runPlan = through(t, runPlan)
	waiting := slices.Clone(runPlan.Slices)
	numbers := len(waiting)
	var results []engine.SliceResult
	for len(waiting) > 0 {
		i := pick(len(waiting))
		slice := waiting[i]
		waiting = slices.Delete(waiting, i, i+1)
		if attempts {
			job.Attempt++
		}
		parts, err := engine.ScanSlice(t.Context(), src, dst, job, through(t, slice), opts)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, through(t, parts)...)
		for i := range parts {
			n := 1
			if halve() {
				n = 3
			}
			rests := parts[i].Shares(n, numbers)
			numbers += max(len(rests)-1, 0)
			waiting = append(waiting, rests...)
		}
	}
	result, err := engine.Publish(t.Context(), dst, job, runPlan, results, opts)
	if err != nil {
		t.Fatal(err)
	}
	return result, results
}

// A run that is scanned slice by slice, each in a new process that knows only the
// JSON of the slices before, writes the same bytes as a run in one scan.
func TestSlicesAreTheRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.Bool().Draw(t, "versions")
		store := membucket.New(func() time.Time { return time.Unix(1767225600, 0) }, "photos", "whole", "sliced")
		store.Bucket("photos").Load(membucket.RandomRecords(t, 25, versions)...)
		job := newJob()
		job.Seed = "seed"
		job.Configuration.Filter = drawFilter(t)
		if versions {
			job.Configuration.IncludedObjectVersions = stocktake.AllVersions
		}
		opts := engine.Options{
			Workers: rapid.IntRange(1, 4).Draw(t, "workers"), MinSegment: rapid.Int64Range(1, 40).Draw(t, "segment"),
			Limits: report.Limits{
				Rows:  rapid.Int64Range(1, 5).Draw(t, "rows"),
				Bytes: rapid.SampledFrom([]int64{0, 1, 400}).Draw(t, "bytes"),
			},
			EmptyManifest: rapid.Bool().Draw(t, "empty"), Log: quiet,
		}
		whole, err := engine.Run(t.Context(), store, store.Bucket("whole"), job, opts)
		if err != nil {
			t.Fatal(err)
		}
		opts.Slice.Shards = rapid.IntRange(1, 3).Draw(t, "shards")
		got, results := sliced(t, store, store.Bucket("sliced"), job, opts, false,
			func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "next") }, func() bool { return false })
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("result (-run +slices):\n%s", diff)
		}
		if diff := cmp.Diff(files(t, store.Bucket("whole")), files(t, store.Bucket("sliced"))); diff != "" {
			t.Errorf("files (-run +slices):\n%s", diff)
		}
		for _, r := range results {
			if len(r.Files) > opts.Slice.Shards || !r.Done && len(r.Files) < opts.Slice.Shards {
				t.Errorf("a slice of %d shards: %+v", opts.Slice.Shards, r)
			}
		}
	})
}

func files(t tb, b *membucket.Bucket) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for _, key := range keys(t, b) {
		m[key] = string(read(t, b, key))
	}
	return m
}

// Slices that end after each batch, are cut in two, and are scanned in any order have
// every row of the report once, in order.
func TestSlicesCutInTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := membucket.New(nil, "photos", "whole", "sliced")
		store.Bucket("photos").Load(membucket.RandomRecords(t, 40, true)...)
		job := newJob(func(c *stocktake.InventoryConfiguration) { c.IncludedObjectVersions = stocktake.AllVersions })
		job.Configuration.Filter.Prefix = rapid.SampledFrom([]string{"", "a", "猫"}).Draw(t, "prefix")
		opts := engine.Options{MinSegment: 20, Workers: 2, EmptyManifest: true, Log: quiet}
		whole, err := engine.Run(t.Context(), store, store.Bucket("whole"), job, opts)
		if err != nil {
			t.Fatal(err)
		}
		opts.Slice.Time = 1
		got, _ := sliced(t, store, store.Bucket("sliced"), job, opts, true,
			func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "next") }, func() bool { return rapid.Bool().Draw(t, "halve") })
		want, rows := rowsOf(t, store.Bucket("whole"), whole.Manifest), rowsOf(t, store.Bucket("sliced"), got.Manifest)
		if !bytes.Equal(rows, want) {
			t.Errorf("rows\n%s, want\n%s", rows, want)
		}
		if got.Summary.Listed != whole.Summary.Listed || got.Summary.Consistency != stocktake.ConsistencyWindow {
			t.Errorf("summary %+v, want %d listed, and a window", got.Summary, whole.Summary.Listed)
		}
		checkWhole(t, store.Bucket("sliced"), got.Manifest, whole.Summary.Matched)
	})
}

// Publish refuses results that leave records out or have some twice.
func TestPublishHoldsSlicesTogether(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	opts := small
	opts.Slice.Shards = 1
	runPlan, err := engine.Plan(t.Context(), store, dst, newJob(), opts)
	if err != nil {
		t.Fatal(err)
	}
	var results []engine.SliceResult
	for _, s := range runPlan.Slices {
		for ok := true; ok; {
			r, err := engine.ScanSlice(t.Context(), store, dst, newJob(), s, opts)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, r...)
			s, ok = r[0].Rest()
		}
	}
	if len(results) < 4 {
		t.Fatalf("%d slices", len(results))
	}
	before := keys(t, dst)
	other := results[1]
	other.Slice.Segment.Prefix = "else"
	overlapping := results[1]
	overlapping.Slice.Segment.From += "\x00"
	for i := range results {
		for name, wrong := range map[string][]engine.SliceResult{
			"one is missing":  slices.Delete(slices.Clone(results), i, i+1),
			"one comes twice": append(slices.Clone(results), results[i]),
			"one overlaps":    append(slices.Clone(results), overlapping),
			"one is of else":  append(slices.Clone(results), other),
		} {
			if r, err := engine.Publish(t.Context(), dst, newJob(), runPlan, wrong, opts); err == nil {
				t.Errorf("%s, %d: published %s", name, i, r.Manifest)
			}
		}
	}
	if after := keys(t, dst); !slices.Equal(after, before) {
		t.Errorf("the destination holds\n%q, had\n%q", after, before)
	}
}

// Each operation of a slice fails once: no file of the slice is left then.
func TestScanSliceIsAllOrNothing(t *testing.T) {
	for n := 1; ; n++ {
		store := newStore(objects)
		dst := store.Bucket("reports")
		var op string
		f := faultAt(n, fails, &op)
		r, err := engine.ScanSlice(t.Context(), faultySource{store, f}, faultyDestination{dst, f}, newJob(), engine.Slice{}, small)
		if err != nil {
			checkNothing(t, dst)
		} else if len(r) != 1 || r[0].Listed != objects || !r[0].Done {
			t.Errorf("%s failed: %+v", op, r)
		}
		if op == "" {
			break
		}
	}
}

// Shards of slices that were lost, and taken over by another attempt, are
// removed when the run is published.
func TestPublishRemovesLostShards(t *testing.T) {
	store := newStore(objects)
	dst := store.Bucket("reports")
	lost := newJob()
	if _, err := engine.ScanSlice(t.Context(), store, dst, lost, engine.Slice{}, small); err != nil {
		t.Fatal(err)
	}
	job := newJob()
	job.Attempt = 2
	result, _ := sliced(t, store, dst, job, small, true, func(int) int { return 0 }, func() bool { return true })
	checkWhole(t, dst, result.Manifest, objects)
	again, err := engine.Publish(t.Context(), dst, job, engine.RunPlan{}, nil, small)
	if err != nil || !again.Resumed || again.Manifest != result.Manifest {
		t.Errorf("published again: %+v, %v", again, err)
	}
}

// Halves are next to each other and cut between keys.
func TestHalve(t *testing.T) {
	key := rapid.OneOf(membucket.RandomKeys(), rapid.StringN(0, 5, 9), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 9), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]string{"", "a/", "\xff\xff"}).Draw(t, "prefix")
		from, to := prefix+key.Draw(t, "from"), prefix+key.Draw(t, "to")
		if rapid.Bool().Draw(t, "open") {
			to = ""
		} else if from > to {
			from, to = to, from
		}
		s := engine.Slice{Segment: engine.Segment{Prefix: prefix, From: from, To: to, After: "v1"}, Number: 3, Shards: 2}
		lower, upper, ok := s.Halve(9)
		if !ok {
			return
		}
		want := s
		want.Segment.To = upper.Segment.From
		if lower != want || upper != (engine.Slice{Number: 9, Segment: engine.Segment{Prefix: prefix, From: upper.Segment.From, To: to}}) {
			t.Errorf("%+v is cut into %+v and %+v", s, lower, upper)
		}
		if cut := upper.Segment.From; cut <= from || to != "" && cut >= to || !strings.HasPrefix(cut, prefix) {
			t.Errorf("%+v is cut at %q", s, cut)
		}
	})
	for _, tt := range []struct{ prefix, from, to, cut string }{
		{"", "", "", "\x80"},
		{"", "a", "c", "b"},
		{"a/", "", "", "a/\x80"},
		{"a/", "a/1", "a/2", "a/1\x80"},
		{"", "a", "a\x00", ""}, // there is no key between them
		{"", "a", "a", ""},
	} {
		s := engine.Slice{Segment: engine.Segment{Prefix: tt.prefix, From: tt.from, To: tt.to}}
		if _, upper, ok := s.Halve(1); ok != (tt.cut != "") || upper.Segment.From != tt.cut {
			t.Errorf("%+v: cut at %q, %v, want %q", s.Segment, upper.Segment.From, ok, tt.cut)
		}
	}
}

// Slices and results with any keys are unchanged after a round trip through JSON.
func TestSlicesInJSON(t *testing.T) {
	raw := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		r := engine.SliceResult{
			Slice: engine.Slice{
				Segment: engine.Segment{Prefix: raw.Draw(t, "prefix"), From: raw.Draw(t, "from"), To: raw.Draw(t, "to"), After: raw.Draw(t, "after")},
				Number:  rapid.Int().Draw(t, "number"),
			},
			Next: engine.Cursor{Key: raw.Draw(t, "key"), Version: raw.Draw(t, "version")},
		}
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			record := membucket.RandomRecord(t)
			r.Totals.Add(&record)
		}
		if got := through(t, r); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", r) {
			t.Errorf("%+v, want %+v", got, r)
		}
	})
}
