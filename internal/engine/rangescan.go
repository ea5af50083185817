package engine

import (
	"bytes"
	"sort"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine/ranges"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/rollup"
)

// A rangeScan is the part of one range that a scan of pages has read. The lock of the
// scan guards the pieces of its parts and whether it is parked. Everything else
// belongs to the goroutine that lists the range or, while no goroutine does, to the
// goroutine that joins.
type rangeScan struct {
	r     *ranges.Range
	seg   Segment // the rest of the range
	begun string  // where the current scan began
	next  Cursor  // behind what was read; zero: nothing was

	// version is the last version that was read, if pages with versions were.
	version string

	parked bool // its scan waits, and makes no requests

	parts []part // of each report
}

// A part is the part of a range scan that belongs to one report.
type part struct {
	enc    format.Encoder // nil while the range is not listed
	rows   int64          // of the piece that enc encodes; 0: none is begun
	out    blockWriter    // of it
	first  []byte         // key of its first row
	last   []byte
	read   tally // since the last piece was taken
	pieces []report.EncodedPiece
}

// A tally counts rows.
type tally struct {
	listed int64
	totals report.Totals
	doubts Doubts
	rollup *rollup.Rollup // nil: of no rows
}

func (t *tally) merge(r *rollup.Rollup) {
	if t.rollup != nil {
		r = rollup.Merge(t.rollup, r)
	}
	t.rollup = r
}

// A selector selects the records of one report from a listing and encodes them. It
// serves one range at a time.
type selector struct {
	prefix   []byte
	matcher  stocktake.Matcher
	excluded []byte
	kept     []stocktake.Record
}

func newSelector(r *run, snap Snapshot) selector {
	cfg := &r.job.Configuration
	s := selector{
		prefix:   []byte(cfg.Filter.Prefix),
		matcher:  stocktake.NewMatcher(cfg.Filter, cfg.IncludedObjectVersions != stocktake.AllVersions),
		excluded: r.excluded(snap),
	}
	s.matcher.SkipPrefix() // under has looked at it
	return s
}

// under returns the records of a page whose keys have the prefix of the report: all
// of them, unless the listing also serves other reports.
func (s *selector) under(batch []stocktake.Record) []stocktake.Record {
	if bytes.HasPrefix(batch[0].Key, s.prefix) && bytes.HasPrefix(batch[len(batch)-1].Key, s.prefix) {
		return batch
	}
	batch = batch[sort.Search(len(batch), func(i int) bool { return bytes.Compare(batch[i].Key, s.prefix) >= 0 }):]
	return batch[:sort.Search(len(batch), func(i int) bool { return !bytes.HasPrefix(batch[i].Key, s.prefix) })]
}

// pick returns the matching records of the batch: the batch itself if all match, else
// copies, since the batch belongs to the source.
func (s *selector) pick(batch []stocktake.Record) []stocktake.Record {
	for i := range batch {
		if s.matches(&batch[i]) {
			continue
		}
		s.kept = append(s.kept[:0], batch[:i]...)
		for _, r := range batch[i+1:] {
			if s.matches(&r) {
				s.kept = append(s.kept, r)
			}
		}
		return s.kept
	}
	return batch
}

func (s *selector) matches(r *stocktake.Record) bool {
	return s.matcher.Match(r) && (s.excluded == nil || !bytes.HasPrefix(r.Key, s.excluded))
}

// add encodes the records of a page. It returns the completed pieces.
func (p *part) add(records []stocktake.Record, pieceRows int64) (done []report.EncodedPiece, err error) {
	for i := range records {
		p.read.totals.Add(&records[i])
	}
	for len(records) > 0 {
		if p.rows == 0 {
			p.enc.Reset(&p.out)
			p.first = append([]byte(nil), records[0].Key...)
		}
		n := min(int64(len(records)), pieceRows-p.rows)
		if _, err := p.enc.Encode(records[:n]); err != nil {
			return nil, err
		}
		p.rows += n
		p.last = append(p.last[:0], records[n-1].Key...)
		records = records[n:]
		if p.rows == pieceRows {
			piece, err := p.end()
			if err != nil {
				return nil, err
			}
			done = append(done, piece...)
		}
	}
	return done, nil
}

// end ends the current piece and returns it; none if none has begun.
func (p *part) end() ([]report.EncodedPiece, error) {
	if p.rows == 0 {
		return nil, nil
	}
	p.rows = 0
	piece, err := p.enc.Close()
	if err != nil {
		return nil, err
	}
	return []report.EncodedPiece{{
		Piece: piece, Blocks: p.out.take(), First: p.first, Last: append([]byte(nil), p.last...),
	}}, nil
}
