package engine

import (
	"context"
	"errors"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine/ranges"
)

const (
	// pagedSegment is how many records of a store that is listed over a network
	// justify a segment of their own: ten pages. More segments wait for the network
	// together, which costs this machine nothing.
	pagedSegment = 10_000

	// pagedPages is the same limit in pages for stores with small pages: they take
	// about a second, one after the other.
	pagedPages = 30

	// surveyedPages bounds the pages that a survey requests; the slices list them
	// again. A survey requests at least fewPages, unless the bucket has fewer, and
	// beyond that no more than one in surveyedShare of all pages.
	surveyedPages = 64
	fewPages      = 8
	surveyedShare = 16
)

// errSurveyed ends the scan of a range after its first page.
var errSurveyed = errors.New("one page is enough")

// survey lists sample pages under a prefix, to find out how the keys are distributed,
// and returns at most n-1 cuts into parts of about as many records. It returns none
// if the bucket is too small to be divided.
func survey(ctx context.Context, snap PagedSnapshot, prefix string, versions bool, n int) (cuts []string, err error) {
	t := ranges.New([]ranges.Range{{Prefix: prefix}}, nil)
	next := map[*ranges.Range]Segment{}
	for asked := 0; asked < surveyedPages && (asked < fewPages || float64(asked*surveyedShare) < t.Pages()); {
		probes := t.Probe(min(max(snap.Requests(), 1), surveyedPages-asked))
		if len(probes) == 0 {
			break
		}
		asked += len(probes)
		var mu sync.Mutex
		group, ctx := errgroup.WithContext(ctx)
		for _, r := range probes {
			mu.Lock() // probes of this round have begun
			seg, seen := next[r]
			mu.Unlock()
			if !seen {
				seg = Segment{Prefix: r.Prefix, From: r.From}
			}
			seg.To = r.To
			group.Go(func() error {
				empty, all := true, true
				err := snap.Pages(ctx, seg, versions, func(batch []stocktake.Record, more bool) error {
					mu.Lock()
					defer mu.Unlock()
					empty, all = false, !more
					t.Page(r, len(batch), func(i int) []byte { return batch[i].Key }, more)
					next[r] = Cursor{Key: string(batch[len(batch)-1].Key)}.Rest(seg)
					return errSurveyed
				})
				if err != nil && !errors.Is(err, errSurveyed) {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				if all {
					t.Finish(r, empty)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
	}
	rows, _ := t.Parts(t.First(), nil, math.Inf(1))
	if n = min(n, int(rows/pagedSegment)); n < 2 {
		return nil, nil
	}
	_, cuts = t.Parts(t.First(), nil, rows/float64(n))
	return cuts, nil
}

// sharable bounds the number of parts into which a slice that is ended early can be
// divided with the knowledge of its scan.
const sharable = 64

// pages returns how many rows n pages of the store have, as far as is known.
func (p *pagedScan) pages(n int) int64 {
	rows := p.table.PageRows()
	if rows == 0 {
		rows = 1000
	}
	return int64(n * rows)
}

// propose records where the rest between two results can be cut: the ranges from r on
// and before end. It requires the lock.
func (p *pagedScan) propose(r, end *ranges.Range) {
	all := 0.0
	for q := p.table.FirstOpen(); q != nil; q = q.Next() {
		all += p.table.Left(q)
	}
	rows, cuts := p.table.Parts(r, end, max(all/sharable, float64(min(pagedSegment, p.pages(pagedPages)))))
	if cuts == nil {
		cuts = []string{} // it is not to be cut: see SliceResult.Shares
	}
	for _, o := range p.outputs {
		o.out.Left, o.out.Cuts = int64(rows), cuts
	}
}

// remaining reports from time to time how much is left, for a caller that may end the
// slice: after as many pages as ranges are open, since it estimates each of them. It
// requires the lock.
func (p *pagedScan) remaining() {
	if p.unreported++; p.unreported < max(8, p.table.Open()) {
		return
	}
	p.unreported = 0
	left := 0.0
	for q := p.table.FirstOpen(); q != nil; q = q.Next() {
		left += p.table.Left(q)
	}
	for _, o := range p.outputs {
		o.opts.Progress.left.Store(int64(left))
	}
}
