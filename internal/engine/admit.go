package engine

import (
	"bytes"
	"context"
	"fmt"
	"sort"

	"github.com/stocktake/stocktake"
)

// page takes a page of the range of s, and returns how many rows are taken.
func (p *pagedScan) page(ctx context.Context, s *rangeScan, k *rangeEncoders, batch []stocktake.Record, more bool) (taken int, err error) {
	if err := s.check(batch); err != nil {
		return 0, err
	}
	batch, end := p.admit(ctx, s, batch, more)
	if len(batch) > 0 {
		if err := p.encode(ctx, s, k, batch); err != nil {
			return 0, err
		}
	}
	return len(batch), end
}

// check verifies the order of the source at the ends of a page, where the check costs
// nothing.
func (s *rangeScan) check(batch []stocktake.Record) error {
	first, last := batch[0].Key, batch[len(batch)-1].Key
	if bytes.Compare(last, first) < 0 || string(first) < max(s.begun, s.next.Key) ||
		!bytes.HasPrefix(first, []byte(s.seg.Prefix)) || !bytes.HasPrefix(last, []byte(s.seg.Prefix)) ||
		s.seg.To != "" && string(last) >= s.seg.To {
		return fmt.Errorf("the source is out of order: keys %.200q to %.200q, in the segment from %.200q to %.200q",
			first, last, max(s.begun, s.next.Key), s.seg.To)
	}
	return nil
}

// admit decides which records of a page are taken: not those behind a cut, and not
// more than memory allows. end is the error that ends the scan; nil means that the
// scan continues.
func (p *pagedScan) admit(ctx context.Context, s *rangeScan, batch []stocktake.Record, more bool) (taken []stocktake.Record, end error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if more {
		if end = p.waitForMemory(ctx, s, batch); end != nil && end != errPaused {
			return nil, end
		}
	}
	if to := s.r.To; to != "" {
		if n := sort.Search(len(batch), func(i int) bool { return string(batch[i].Key) >= to }); n < len(batch) {
			batch, more, end = batch[:n], false, errCut
		}
	}
	version := "" // to continue behind; empty: behind all versions of the last key
	if end == errPaused && p.versions {
		// More versions of the last key may follow. If the page has another key, all
		// versions of the last key are left for later.
		last := batch[len(batch)-1]
		if n := sort.Search(len(batch), func(i int) bool { return bytes.Compare(batch[i].Key, last.Key) >= 0 }); n > 0 {
			batch = batch[:n]
		} else {
			version = string(last.VersionID)
		}
	}
	if len(batch) == 0 {
		return nil, end
	}
	s.next = Cursor{Key: string(batch[len(batch)-1].Key), Version: version}
	if p.versions && p.budget.Failed != nil {
		s.version = string(batch[len(batch)-1].VersionID)
	}
	to := s.seg.To
	s.seg = s.next.Rest(s.seg)
	s.seg.To = to
	p.table.Page(s.r, len(batch), func(i int) []byte { return batch[i].Key }, more && end == nil)
	p.rows += int64(len(batch))
	p.remaining()
	p.dispatch()
	return batch, end
}

// waitForMemory returns nil once there is memory for the records behind the page of s,
// errPaused if the scan of s is to end until then, or the error of ctx. A scan that
// cannot end between two keys waits here; meanwhile another scan may make its
// requests. It requires the lock.
func (p *pagedScan) waitForMemory(ctx context.Context, s *rangeScan, batch []stocktake.Record) error {
	defer func() {
		if s.parked {
			s.parked = false
			p.listing++
		}
	}()
	for {
		first := p.table.FirstOpen() == s.r
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case p.stopping:
			return errPaused
		case p.mayContinue(s):
			if !s.parked || p.listing < p.requests() {
				return nil
			}
		case first:
		case p.versions && bytes.Equal(batch[0].Key, batch[len(batch)-1].Key):
			if !s.parked {
				s.parked = true
				p.listing--
				p.dispatch()
			}
		default:
			return errPaused
		}
		p.changed.Wait()
	}
}

// mayContinue reports whether there is memory for another page of s. It requires the
// lock.
func (p *pagedScan) mayContinue(s *rangeScan) bool {
	used := p.blocks.used()
	switch {
	case used < p.memory/2:
		return true
	case p.table.FirstOpen() == s.r:
		// The next range to be joined is written as it is listed, unless writing
		// takes longer than listing.
		return used < p.memory || p.joined == s.r && !s.waiting()
	}
	return used < p.memory && p.table.Within(s.r, p.within())
}

// waiting reports whether pieces of s are complete and not yet written.
func (s *rangeScan) waiting() bool {
	for i := range s.parts {
		if len(s.parts[i].pieces) > 0 {
			return true
		}
	}
	return false
}

// encode encodes the records of a page for each report.
func (p *pagedScan) encode(ctx context.Context, s *rangeScan, k *rangeEncoders, batch []stocktake.Record) error {
	for i, o := range p.outputs {
		if o.dead.Load() {
			continue
		}
		part := &s.parts[i]
		before := part.read.totals
		sel := &k.selectors[i]
		own := sel.under(batch)
		if err := o.details.fetch(ctx, own, func(i int) bool { return sel.matches(&own[i]) }); err != nil {
			return err
		}
		records := sel.pick(own)
		k.rollups[i].Add(records)
		pieces, err := part.add(records, o.pieceRows)
		if err != nil {
			return err
		}
		part.read.listed += int64(len(own))
		part.read.doubts.merge(o.details.doubts(records))
		o.opts.Progress.add(len(own), part.read.totals.Rows-before.Rows, part.read.totals.Bytes-before.Bytes)
		if len(pieces) > 0 {
			p.mu.Lock()
			p.keep(part, pieces)
			p.changed.Broadcast()
			p.mu.Unlock()
		}
	}
	return nil
}
