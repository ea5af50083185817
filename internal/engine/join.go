package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake/internal/engine/ranges"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// join writes the pieces of all ranges into shards in the order of keys, as the
// pieces arrive. If the scan is stopped, unfinished ranges leave gaps: the rows
// between two gaps are the result of a slice of its own.
func (p *pagedScan) join(ctx context.Context) error {
	r := p.table.First()
	for r != nil {
		s, err := p.writeRange(ctx, r)
		if err != nil {
			return err
		}
		for i, o := range p.outputs {
			o.out.Listed += s.parts[i].read.listed
			o.out.Totals.Merge(&s.parts[i].read.totals)
			o.out.Doubts.merge(s.parts[i].read.doubts)
			if r := s.parts[i].read.rollup; r != nil {
				o.rollups = append(o.rollups, r)
			}
			if s.next.Key != "" {
				o.out.Next = s.next
			}
		}
		if r.State == ranges.Done {
			r = p.forget(r)
			continue
		}
		if r, err = p.gap(ctx, r); err != nil || r == nil {
			return err
		}
	}
	return p.finish(ctx, true, p.end)
}

// writeRange writes the pieces of r until r is done or no more of it will be read.
func (p *pagedScan) writeRange(ctx context.Context, r *ranges.Range) (*rangeScan, error) {
	for {
		if err := p.dropEnded(); err != nil {
			return nil, err
		}
		s, pieces, last, err := p.await(ctx, r)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue // a report has ended
		}
		for i, o := range p.outputs {
			for _, piece := range pieces[i] {
				if o.err == nil {
					if err := o.join(ctx, piece); err != nil && (ctx.Err() != nil || p.failed(o, err) != nil) {
						return nil, err
					}
				}
				p.blocks.put(piece.Blocks)
			}
		}
		p.mu.Lock()
		for _, o := range p.outputs {
			o.opts.Progress.reach(s.next.Key)
		}
		if b := &p.budget; b.Shards > 0 && len(p.outputs[0].out.Files) >= b.Shards {
			p.stopping = true
		}
		p.changed.Broadcast()
		p.dispatch()
		p.mu.Unlock()
		if last {
			return s, nil
		}
	}
}

// wasEnded reports whether the context of a report in progress has ended.
func (o *output) wasEnded() bool { return o.ctx != nil && o.err == nil && o.ctx.Err() != nil }

// dropEnded drops the reports whose contexts have ended. The error is that of the
// scan, if no other report is left.
func (p *pagedScan) dropEnded() error {
	for _, o := range p.outputs {
		if o.wasEnded() {
			if err := p.failed(o, o.ctx.Err()); err != nil {
				return err
			}
		}
	}
	return nil
}

// await waits until r has pieces for some report or will get no more, and returns
// them; last says that no more will follow. s is nil if a report was ended
// meanwhile.
func (p *pagedScan) await(ctx context.Context, r *ranges.Range) (s *rangeScan, pieces [][]report.EncodedPiece, last bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joined = r
	p.changed.Broadcast()
	for {
		s = p.rangeScans[r]
		last = r.State == ranges.Done || p.stopping && p.scans == 0
		switch {
		case ctx.Err() != nil:
			return nil, nil, false, ctx.Err()
		case slices.ContainsFunc(p.outputs, (*output).wasEnded):
			return nil, nil, false, nil
		case s == nil && last:
			s = p.newRangeScan(r, Segment{Prefix: r.Prefix, From: r.From, To: r.To})
			return s, make([][]report.EncodedPiece, len(p.outputs)), true, nil
		case s != nil && (last || s.waiting()):
			pieces = make([][]report.EncodedPiece, len(s.parts))
			for i := range s.parts {
				pieces[i], s.parts[i].pieces = s.parts[i].pieces, nil
			}
			return s, pieces, last, nil
		}
		p.changed.Wait()
	}
}

// forget drops the state of a range that is written and returns the next range.
func (p *pagedScan) forget(r *ranges.Range) *ranges.Range {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.rangeScans, r)
	return r.Next()
}

// join adds a piece to the current shard.
func (o *output) join(ctx context.Context, piece report.EncodedPiece) error {
	if o.file == nil {
		if err := o.beginShard(ctx); err != nil {
			return err
		}
	}
	if err := o.shards.Join(piece); err != nil {
		return fmt.Errorf("write %s: %w", o.key, err)
	}
	if o.shards.Full() {
		return o.endShard(ctx)
	}
	return nil
}

// gap ends the results before r, which is not done, and begins new results at the
// next range from which enough rows follow to be worth a shard. The rows between
// count as not read. It returns that range; nil if there is none.
func (p *pagedScan) gap(ctx context.Context, r *ranges.Range) (*ranges.Range, error) {
	next := p.skipToShard(r.Next())
	to := p.end
	if next != nil {
		to = next.From
	}
	p.mu.Lock()
	p.propose(r, next)
	p.mu.Unlock()
	if err := p.finish(ctx, false, to); err != nil {
		return nil, err
	}
	if next == nil {
		return nil, nil
	}
	for _, o := range p.outputs {
		o.out = SliceResult{
			Slice:    Slice{Segment: Segment{Prefix: next.Prefix, From: next.From}, Number: numberOf(next.From), Start: o.out.Slice.Start},
			Snapshot: o.out.Snapshot,
		}
	}
	return next, nil
}

// shardPages is how many pages are always enough for a shard of their own: listing them
// again would take longer than reading one more file.
const shardPages = 4

// skipToShard returns the first range from r on at which enough rows without a gap begin to
// be worth a shard. It drops the ranges before it.
func (p *pagedScan) skipToShard(r *ranges.Range) *ranges.Range {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := min(p.outputs[0].opts.MinSegment, p.pages(shardPages))
	for r != nil {
		rows := int64(0)
		end := r
		for ; end != nil; end = end.Next() {
			rows += end.Rows
			if end.State != ranges.Done {
				break
			}
		}
		if rows >= least || end == nil {
			return r
		}
		for ; r != end.Next(); r = r.Next() {
			if s := p.rangeScans[r]; s != nil {
				p.drop(s)
			}
		}
	}
	return nil
}

// drop discards the pieces of s. It requires the lock.
func (p *pagedScan) drop(s *rangeScan) {
	for i := range s.parts {
		for _, piece := range s.parts[i].pieces {
			p.blocks.put(piece.Blocks)
		}
		t := &s.parts[i].read
		p.outputs[i].opts.Progress.add(-int(t.listed), -t.totals.Rows, -t.totals.Bytes)
	}
	delete(p.rangeScans, s.r)
}

// numberOf returns the number of the segment that begins with a key after a scan was
// stopped. It is far above the numbers that callers choose, and no two segments of a
// run begin with the same key.
func numberOf(from string) int {
	sum := sha256.Sum256([]byte(from))
	return int(binary.BigEndian.Uint64(sum[:8])>>(64-segmentBits) | 1<<(segmentBits-1))
}

// finish ends the current results, at the key to if they are not done.
func (p *pagedScan) finish(ctx context.Context, done bool, to string) error {
	for _, o := range p.outputs {
		if o.file != nil {
			if err := o.endShard(ctx); err != nil && (ctx.Err() != nil || p.failed(o, err) != nil) {
				return err
			}
		}
		if o.out.Done = done; done {
			o.out.Next = Cursor{}
		}
		o.out.Slice.Segment.To = to
		o.out.Doubts.Unavailable = o.details.unavailable()
		o.out.Rollup = rollup.Merge(append(o.rollups, o.newRollup(o.start).Part())...)
		o.rollups = nil
		o.out.End = o.out.Snapshot.Add(time.Since(p.opened))
		o.results = append(o.results, o.out)
	}
	return nil
}
