package engine

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
)

// defaultMinSegment is the smallest number of records in a segment. One core scans a
// smaller bucket in a tenth of a second, and such a report is easiest to read as one
// file.
const defaultMinSegment = 100_000

// seededWorkers replaces the number of workers in the plan of a run with a seed, so
// that the report does not depend on the machine.
const seededWorkers = 8

// segments returns how many segments a run of about count records should have; -1
// means that the count is unknown. There are more segments than workers, so
// that their different lengths even out, as long as each still fills a shard: files
// keep a handy size.
func segments(count int64, workers int, minSegment, shardRows int64) int {
	most := int64(4 * workers)
	n := most
	if count >= 0 {
		n = min(count/minSegment, max(int64(workers), min(most, count/shardRows)))
	}
	if n > int64(workers) {
		n -= n % int64(workers) // else the last round leaves workers idle
	}
	return int(max(n, 1))
}

// plan divides the keys that the configuration selects into segments, ascending.
// previous is the summary of the previous report; if it is nil, split proposes cuts.
func plan(prefix string, n int, previous *stocktake.Summary, split func(n int) ([]string, error)) ([]Segment, error) {
	var cuts []string
	if n > 1 {
		if cuts = hints(previous, n); cuts == nil {
			var err error
			if cuts, err = split(n); err != nil {
				return nil, fmt.Errorf("split: %w", err)
			}
		}
	}
	cuts = slices.DeleteFunc(slices.Clone(cuts), func(cut string) bool {
		return cut <= prefix || !strings.HasPrefix(cut, prefix)
	})
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)

	segments := make([]Segment, 0, len(cuts)+1)
	from := ""
	for _, cut := range cuts {
		segments = append(segments, Segment{Prefix: prefix, From: from, To: cut})
		from = cut
	}
	return append(segments, Segment{Prefix: prefix, From: from}), nil
}

// hints returns n-1 cuts from the boundaries of the shards of an earlier report and
// of their pieces, between which the number of rows is known exactly. It returns nil
// if there are too few for even cuts, or if the filter selected so few records that
// rows do not represent records.
func hints(s *stocktake.Summary, n int) []string {
	if s == nil || 2*s.Matched < s.Listed {
		return nil
	}
	type bound struct {
		key  string // escaped
		rows int64  // before it
	}
	var bounds []bound
	before := int64(0)
	for i := range s.Files {
		f := &s.Files[i]
		bounds = append(bounds, bound{f.FirstKey, before})
		for _, p := range f.Pieces {
			if p.Row > 0 {
				bounds = append(bounds, bound{p.FirstKey, before + p.Row})
			}
		}
		before += f.Rows
	}
	if len(bounds) < 2*n {
		return nil
	}
	distance := func(rows, target int64) int64 { return max(rows-target, target-rows) }
	var cuts []string
	at := 1
	for k := 1; k < n; k++ {
		target := s.Matched / int64(n) * int64(k)
		for at+1 < len(bounds) && distance(bounds[at+1].rows, target) <= distance(bounds[at].rows, target) {
			at++
		}
		if cut, err := url.PathUnescape(bounds[at].key); err == nil {
			cuts = append(cuts, cut)
		}
	}
	return cuts
}
