package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
)

func TestSegments(t *testing.T) {
	const m = 1_000_000
	for _, tt := range []struct {
		count         int64
		workers, want int
	}{
		{0, 2, 1},
		{99_999, 64, 1},  // one file is best
		{199_999, 64, 1}, // two halves would be too small
		{200_000, 64, 2},
		{m, 1, 1},
		{m, 2, 2},   // no more files than needed
		{m, 64, 10}, // as many as are worth it
		{3 * m, 2, 2},
		{5 * m, 2, 4}, // more than workers, and each round keeps all of them busy
		{7 * m, 2, 6},
		{100 * m, 2, 8},
		{100 * m, 64, 64},
		{10_000 * m, 64, 256},
		{-1, 2, 8}, // the count is unknown
	} {
		if got := segments(tt.count, tt.workers, defaultMinSegment, m); got != tt.want {
			t.Errorf("%d records, %d workers: %d segments, want %d", tt.count, tt.workers, got, tt.want)
		}
	}
}

// For any cuts of a source, the segments cover every key under the prefix once, in
// order.
func TestPlanCoversEachKeyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringOfN(rapid.RuneFrom([]rune("ab/")), 0, 4, -1)
		prefix := rapid.SampledFrom([]string{"", "a", "a/"}).Draw(t, "prefix")
		cuts := rapid.SliceOf(key).Draw(t, "cuts")
		segs, err := plan(prefix, 2, nil, func(int) ([]string, error) { return cuts, nil })
		if err != nil {
			t.Fatal(err)
		}
		k := prefix + key.Draw(t, "key")
		in := 0
		for i, seg := range segs {
			if strings.HasPrefix(k, seg.Prefix) && k >= seg.From && (seg.To == "" || k < seg.To) {
				in++
			}
			if seg.Prefix != prefix || i > 0 && (seg.From != segs[i-1].To || seg.From <= segs[i-1].From) || (seg.To == "") != (i == len(segs)-1) {
				t.Errorf("segments %+v", segs)
			}
		}
		if in != 1 {
			t.Errorf("%q is in %d of %+v", k, in, segs)
		}
	})
}

func TestHints(t *testing.T) {
	summary := func(rows ...int64) *stocktake.Summary {
		s := new(stocktake.Summary)
		for i, n := range rows {
			s.Files = append(s.Files, stocktake.SummaryFile{Rows: n, FirstKey: fmt.Sprintf("%d%%2F", i)})
			s.Matched += n
		}
		s.Listed = s.Matched
		return s
	}
	filtered := summary(1, 1, 1, 1)
	filtered.Listed = 9
	for _, tt := range []struct {
		name    string
		summary *stocktake.Summary
		n       int
		want    []string
	}{
		{"no report before", nil, 2, nil},
		{"too few shards", summary(5, 5, 5), 2, nil},
		{"most records filtered out", filtered, 2, nil},
		{"even", summary(5, 5, 5, 5), 2, []string{"2/"}},
		{"uneven", summary(95, 30, 50, 25), 2, []string{"1/"}},
		{"in three", summary(10, 10, 10, 10, 10, 10), 3, []string{"2/", "4/"}},
		{"one large shard", summary(1, 1, 1, 1, 1, 95), 3, []string{"5/", "5/"}},
	} {
		if got := hints(tt.summary, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The names of shards are UUIDs, and no two of them are the same.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, run := range []string{"a", "b"} {
		for attempt := 1; attempt < 4; attempt++ {
			n := newShardNames("d/", run, attempt, ".csv.gz")
			for segment := range 300 {
				for shard := range 3 {
					key := n.shard(segment, shard)
					if seen[key] || !n.owns(key) || !strings.HasPrefix(key, n.attempt) {
						t.Fatalf("%s comes twice, or belongs to no attempt", key)
					}
					seen[key] = true
				}
			}
		}
	}
	n := newShardNames("d/", "run-1", 3, ".csv.gz")
	if got, want := n.shard(0, 0)[:len("d/2222c1ed-66f7-8")], "d/"; !strings.HasPrefix(got, want) || got[len(got)-1] != '8' {
		t.Errorf("name %s is not a UUID of version 8", n.shard(0, 0))
	}
	if !strings.HasSuffix(n.shard(4, 0), ".csv.gz") || strings.TrimSuffix(n.shard(4, 0), ".csv.gz")+"-2.csv.gz" != n.shard(4, 2) {
		t.Errorf("names %s and %s", n.shard(4, 0), n.shard(4, 2))
	}
	if n2 := newShardNames("d/", "run-1", 4, ".csv.gz"); n2.owns(n.shard(0, 0)) != true || strings.HasPrefix(n.shard(0, 0), n2.attempt) {
		t.Errorf("attempts of one run: %s, %s", n.attempt, n2.attempt)
	}
}

// A slice that was stopped before its first key is followed by its rest, which
// begins at the same place.
func TestChainWithoutProgress(t *testing.T) {
	first := SliceResult{Slice: Slice{Segment: Segment{To: "m"}}, Done: true, Listed: 2}
	stopped := SliceResult{Slice: Slice{Segment: Segment{From: "m"}}}
	rest, ok := stopped.Rest()
	last := SliceResult{Slice: rest, Done: true, Listed: 1}
	if !ok || last.Slice.Segment != stopped.Slice.Segment {
		t.Fatalf("the rest is %+v", rest)
	}
	got, err := chain(t.Context(), "", listed{last, stopped, first})
	if err != nil || len(got) != 2 || got[0] != 2 || got[1] != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := chain(t.Context(), "", listed{first, last, last}); err == nil {
		t.Error("keys that were read twice are accepted")
	}
	if _, err := chain(t.Context(), "", listed{first, stopped}); err == nil {
		t.Error("keys that were not read are accepted")
	}
}
