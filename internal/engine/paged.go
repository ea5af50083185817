package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine/ranges"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/rollup"
)

// defaultMemory bounds the bytes of encoded pieces that wait for earlier ones. Some
// four million rows take that much, which is enough to keep 64 requests busy.
const defaultMemory = 128 << 20

// A pagedScan scans a slice of a PagedSnapshot: many ranges of keys at once, in an
// order of its own. Each range is encoded in pieces as its pages arrive. The pieces
// wait in memory until everything before them is written. So many scans write few
// files, in the order of keys.
//
// Memory is bounded. When half of it is used, only ranges are listed that will be
// written next. When all of it is used, only the first of them is listed, which needs
// no memory. The scans of the other ranges end and resume later where they stopped.
// The scan cannot get stuck, because the first range always proceeds.
type pagedScan struct {
	snap     PagedSnapshot
	opened   time.Time
	versions bool
	end      string    // where the last segment ends
	outputs  []*output // of the reports that are made from this listing
	budget   Budget
	memory   int64

	group *errgroup.Group
	ctx   context.Context

	mu         sync.Mutex
	changed    sync.Cond // of mu: pieces are ready, memory is free, a range is done, the scan is to stop
	table      *ranges.Table
	rangeScans map[*ranges.Range]*rangeScan
	blocks     blocks
	idle       []*rangeEncoders
	scans      int           // of ranges
	listing    int           // scans that make requests: the others wait for memory
	joined     *ranges.Range // the range that is being written
	stopping   bool          // the budget is used up
	rows       int64         // listed
	encoded    int64         // bytes of the pieces of these rows

	unreported int // pages since remaining has reported
}

// A rangeEncoders has the encoders of a range, one for each report.
type rangeEncoders struct {
	selectors []selector
	encoders  []format.Encoder
	rollups   []*rollup.Builder
}

// errPaused ends the scan of a range that will resume later.
var errPaused = errors.New("the range is to be continued later")

// errCut ends the scan of a range whose rest was given to another scan.
var errCut = errors.New("the rest of the range is listed elsewhere")

// newPagedScan returns the scan of some segments of the source, ascending and
// disjoint, for the reports of runs, which all have the same source.
func newPagedScan(snap PagedSnapshot, opened time.Time, runs []*run, segments []Segment, last *stocktake.Summary) (*pagedScan, error) {
	p := &pagedScan{snap: snap, opened: opened, rangeScans: make(map[*ranges.Range]*rangeScan)}
	p.changed.L = &p.mu
	for _, r := range runs {
		cfg := &r.job.Configuration
		shards, err := report.NewShardWriter(r.opts.Format, r.job.Bucket, cfg.Columns(), r.opts.Limits)
		if err != nil {
			return nil, err
		}
		shards.Describe(r.origin(snap))
		p.outputs = append(p.outputs, &output{
			run: r, shards: shards, pieceRows: cmp.Or(r.opts.Limits.PieceRows, r.opts.Format.PieceRows()),
			details: newDetails(snap, cfg.Columns()),
		})
		p.versions = p.versions || cfg.IncludedObjectVersions == stocktake.AllVersions
		p.memory = max(p.memory, r.opts.Memory)
	}
	parts := make([]ranges.Range, len(segments))
	for i, s := range segments {
		parts[i] = ranges.Range{Prefix: s.Prefix, From: s.From, To: s.To}
	}
	p.table = ranges.New(parts, last)
	r := p.table.First()
	for i := range segments {
		p.rangeScans[r] = p.newRangeScan(r, segments[i])
		r = r.Next()
	}
	p.joined = p.table.First()
	p.end = segments[len(segments)-1].To
	return p, nil
}

func (p *pagedScan) newRangeScan(r *ranges.Range, seg Segment) *rangeScan {
	s := &rangeScan{r: r, seg: seg, parts: make([]part, len(p.outputs))}
	for i := range s.parts {
		s.parts[i].out.from = &p.blocks
	}
	return s
}

// run lists all ranges and writes them. After an error, unfinished shards are
// dropped, and committed shards are left.
func (p *pagedScan) run(ctx context.Context) error {
	p.group, p.ctx = errgroup.WithContext(ctx)
	defer context.AfterFunc(p.ctx, p.wake)()
	release := p.limit()
	p.group.Go(func() error {
		defer release()
		return p.join(p.ctx)
	})
	p.mu.Lock()
	p.dispatch()
	p.mu.Unlock()
	err := p.group.Wait()
	for _, o := range p.outputs {
		o.dropShard() // of a scan that has failed
	}
	return err
}

// failed records that the report of o cannot be made. If the scan serves no other
// report, it fails as well.
func (p *pagedScan) failed(o *output, err error) error {
	o.dropShard()
	o.err = err
	o.dead.Store(true)
	if o.failed != nil {
		o.failed(err)
	}
	for _, o := range p.outputs {
		if o.err == nil {
			return nil
		}
	}
	return err
}

// limit stops the scan when its time is up. The returned function releases the
// resources.
func (p *pagedScan) limit() (release func()) {
	stop := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stop()
	}
	var timer *time.Timer
	if p.budget.Time > 0 {
		timer = time.AfterFunc(p.budget.Time, stop)
	}
	ended := make(chan struct{})
	if p.budget.Stop != nil {
		p.group.Go(func() error {
			select {
			case <-p.budget.Stop:
				stop()
			case <-ended:
			case <-p.ctx.Done():
			}
			return nil
		})
	}
	return sync.OnceFunc(func() {
		if timer != nil {
			timer.Stop()
		}
		close(ended)
	})
}

// stop makes the scans of ranges end with their next page. It requires the lock.
func (p *pagedScan) stop() {
	p.stopping = true
	p.changed.Broadcast()
}

// wake makes all waiting goroutines check whether they may continue.
func (p *pagedScan) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.Broadcast()
}

// dispatch begins as many scans as are allowed. It requires the lock.
func (p *pagedScan) dispatch() {
	if p.stopping || p.ctx.Err() != nil {
		return
	}
	idle := p.requests() - p.listing
	if first := p.rangeScans[p.table.FirstOpen()]; first != nil && first.parked {
		idle-- // all others may wait for it
	}
	if idle <= 0 {
		return
	}
	for _, r := range p.table.Take(idle, p.within()) {
		s := p.rangeScans[r]
		if s == nil {
			s = p.newRangeScan(r, Segment{Prefix: r.Prefix, From: r.From})
			p.rangeScans[r] = s
		}
		s.seg.To = r.To
		p.scans++
		p.listing++
		p.group.Go(func() error { return p.list(p.ctx, s) })
	}
}

// requests returns how many requests there may be at once.
func (p *pagedScan) requests() int {
	n := p.snap.Requests()
	if concurrency := p.outputs[0].opts.Concurrency; concurrency != nil {
		n = min(n, concurrency(n))
	}
	return max(n, 1)
}

// within returns how many rows fit into memory if memory is scarce. It requires the
// lock.
func (p *pagedScan) within() float64 {
	used := p.blocks.used()
	if used < p.memory/2 {
		return math.Inf(1)
	}
	row := 32.0 // bytes, until it is known
	if p.rows > 0 && p.encoded > 0 {
		row = float64(p.encoded) / float64(p.rows)
	}
	return float64(max(p.memory-used, 0)) / row
}

// list lists a range, to its end or until it is paused.
func (p *pagedScan) list(ctx context.Context, s *rangeScan) error {
	k, err := p.idleEncoders()
	if err != nil {
		return err
	}
	for i := range s.parts {
		s.parts[i].enc = k.encoders[i]
		k.rollups[i].Reset()
	}
	empty := true // the last request brought nothing
	var ended error
	s.begun = s.seg.From
	step := newPace(&p.outputs[0].opts)
	err = p.snap.Pages(ctx, s.seg, p.versions, func(batch []stocktake.Record, more bool) error {
		var taken int
		taken, ended = p.page(ctx, s, k, batch, more)
		if empty = taken == 0 || more && ended == nil; ended == nil {
			ended = step.step(ctx)
		}
		return ended
	})
	if err != nil && ended == nil && p.halt(s, err) {
		err = errPaused
	}
	paused := errors.Is(err, errPaused)
	if paused || errors.Is(err, errCut) {
		err = nil
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range s.parts {
		piece, err := s.parts[i].end()
		if err != nil {
			return err
		}
		s.parts[i].enc = nil
		s.parts[i].read.merge(k.rollups[i].Part())
		p.keep(&s.parts[i], piece)
	}
	p.idle = append(p.idle, k)
	p.scans--
	p.listing--
	if paused {
		s.r.State = ranges.Waiting
	} else {
		p.table.Finish(s.r, empty)
	}
	p.changed.Broadcast()
	p.dispatch()
	return nil
}

// halt stops the scan because a request of s has failed with err, if the caller wants
// what was read before.
func (p *pagedScan) halt(s *rangeScan, err error) bool {
	if p.budget.Failed == nil || p.ctx.Err() != nil {
		return false
	}
	p.budget.Failed(err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	if s.version != "" && s.next.Version == "" {
		// More versions of the last key may follow on the page that is missing.
		s.next.Version = s.version
		s.seg = s.next.Rest(s.seg)
	}
	return true
}

// idleEncoders returns encoders that are not in use.
func (p *pagedScan) idleEncoders() (*rangeEncoders, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		k := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return k, nil
	}
	p.mu.Unlock()
	k := new(rangeEncoders)
	for _, o := range p.outputs {
		enc, err := o.opts.Format.NewEncoder(o.job.Bucket, o.job.Configuration.Columns())
		if err != nil {
			return nil, err
		}
		k.encoders = append(k.encoders, enc)
		k.selectors = append(k.selectors, newSelector(o.run, p.snap))
		k.rollups = append(k.rollups, o.newRollup(o.start))
	}
	return k, nil
}

// keep adds pieces to those that wait to be written. It requires the lock.
func (p *pagedScan) keep(to *part, pieces []report.EncodedPiece) {
	for _, piece := range pieces {
		p.encoded += piece.Stored
	}
	to.pieces = append(to.pieces, pieces...)
}
