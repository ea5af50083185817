package report

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/stocktake/stocktake/report/rollup"
)

// readRollup checks manifest.rollup against the summary and keeps it for the
// comparison with the rows.
func (v *verifier) readRollup(ctx context.Context) error {
	s, key := v.rep.Summary, v.rep.sibling(RollupName)
	if s == nil {
		return nil // said of the summary
	}
	if s.Rollup == nil {
		v.unchecked("totals by prefix, size, age and extension: the report has no %s", RollupName)
		return nil
	}
	sums, err := v.rep.ReadRollup(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.find(key, CheckRollup, "it is missing")
		return nil
	case errors.Is(err, rollup.ErrVersion):
		v.unchecked("totals by prefix, size, age and extension: %v", err)
		return nil
	case errors.Is(err, ErrMalformed), errors.Is(err, errTooLong):
		v.find(key, CheckRollup, "%v", err)
		return nil
	case err != nil:
		return err
	}
	for _, f := range []struct{ name, got, want string }{
		{"bucket", sums.Bucket, v.rep.Manifest.SourceBucket},
		{"configuration", sums.Configuration, s.Configuration},
		{"run", sums.Run, s.Run},
		{"start", fmt.Sprint(sums.Start.Unix()), fmt.Sprint(v.rep.Manifest.CreationTimestamp)},
	} {
		if f.got != f.want {
			v.find(key, CheckRollup, "%s %.200q, the report says %.200q", f.name, f.got, f.want)
		}
	}
	v.claimed = sums
	return nil
}

// compareRollup compares manifest.rollup with the totals of the rows.
func (v *verifier) compareRollup(shards []*shardCheck) {
	if v.claimed == nil {
		return
	}
	sorted := true
	for _, c := range shards {
		if c.otherRows() {
			v.unchecked("the totals in %s: the rows differ from those that were scanned", RollupName)
			return
		}
		sorted = sorted && !c.disorder
	}
	differences, unchecked := rollup.Compare(v.claimed, v.mergedRollup(), v.rep.Columns, sorted)
	for _, d := range differences {
		v.find(v.rep.sibling(RollupName), CheckRollup, "%s", d)
	}
	v.out.Unchecked = append(v.out.Unchecked, unchecked...)
}

// newBuilder returns a builder with the options of manifest.rollup; nil: no rollup
// to compare with.
func (v *verifier) newBuilder() *rollup.Builder {
	if v.claimed == nil {
		return nil
	}
	opts := v.rep.rollupOptions()
	opts.Start, opts.Prefix, opts.Depth = v.claimed.Start, string(v.claimed.Root), v.claimed.Depth
	if opts.Depth == 0 {
		opts.Depth = -1 // none; 0 would be the default
	}
	return rollup.New(opts)
}

// A rollupMerger merges the roll-ups of shards in the order of the report, while
// they are made in any order.
type rollupMerger struct {
	mu      sync.Mutex
	next    int
	sum     *rollup.Rollup
	waiting map[int]*rollup.Rollup
}

// add adds the roll-up of the shard with the number given.
func (s *rollupMerger) add(number int, part *rollup.Rollup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(map[int]*rollup.Rollup)
	}
	s.waiting[number] = part
	for part = s.waiting[s.next]; part != nil; part = s.waiting[s.next] {
		delete(s.waiting, s.next)
		s.next++
		if s.sum != nil {
			part = rollup.Merge(s.sum, part)
		}
		s.sum = part
	}
}

// mergedRollup returns the roll-up of all shards.
func (v *verifier) mergedRollup() *rollup.Rollup {
	sum := v.sums.sum
	if sum == nil { // there are no shards
		sum = v.newBuilder().Part()
	}
	sum.Seal()
	return sum
}
