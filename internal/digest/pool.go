package digest

import (
	"runtime"
	"slices"
	"sync"
)

// PieceSize is the most bytes of a stream that are summed at once. It is large, for
// few calls, and small enough for the bytes to stay in the core's own cache until
// they are read again.
const PieceSize = 256 << 10

// A Pool sums streams concurrently with their writers. If two streams with the same
// sums each have a piece, both are summed at once, which takes as long as one. A
// piece therefore waits for a partner while its stream has room for more. A Pool is
// safe for concurrent use.
type Pool struct {
	mu      sync.Mutex
	open    [2]int    // streams that are not closed, by kind
	waiting []*Stream // have a piece that waits to be summed; in order of arrival
	summing int       // goroutines
}

// Shared is the pool that the whole process uses.
var Shared = new(Pool)

var pieces = sync.Pool{New: func() any { return new([PieceSize]byte) }}

// A Stream is filled piece by piece: Next returns a buffer, Put says how much of it
// is used. One goroutine uses a Stream and ends it with Close.
type Stream struct {
	pool *Pool
	sums *Sums

	room  int                   // pieces that may wait
	piece *[PieceSize]byte      // being filled; nil: none is
	free  chan *[PieceSize]byte // nil: may be allocated

	// Guarded by the lock of the pool.
	full  []filled // to be summed, in order; the first may be in progress
	flush bool     // a caller waits for all of it
	done  sync.Cond
}

type filled struct {
	piece *[PieceSize]byte
	n     int
}

// Stream begins a stream whose bytes are added to sums. No other caller may use
// sums until the stream is closed. ring is the number of pieces, at least 2: one
// that is being filled, and those that may wait for a partner. Writers of the same
// speed drift apart by a few pieces.
func (p *Pool) Stream(sums *Sums, ring int) *Stream {
	s := &Stream{pool: p, sums: sums, room: ring - 1, free: make(chan *[PieceSize]byte, ring), full: make([]filled, 0, ring)}
	s.done.L = &p.mu
	for range ring {
		s.free <- nil
	}
	p.mu.Lock()
	p.open[s.kind()]++
	p.mu.Unlock()
	return s
}

func (s *Stream) kind() int {
	if s.sums.MD5Only {
		return 1
	}
	return 0
}

// Next returns an empty piece of PieceSize bytes to fill. The caller must no longer
// use earlier pieces.
func (s *Stream) Next() []byte {
	if s.piece == nil {
		if s.piece = <-s.free; s.piece == nil {
			s.piece = pieces.Get().(*[PieceSize]byte)
		}
	}
	return s.piece[:]
}

// Put adds the first n bytes of the piece to the stream. The caller may read them
// until the next call of Next.
func (s *Stream) Put(n int) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	s.full = append(s.full, filled{s.piece, n})
	s.piece = nil
	if len(s.full) == 1 {
		p.waiting = append(p.waiting, s)
	}
	p.start()
}

// Close waits until everything that was put is summed, and ends the stream. Further
// calls do nothing.
func (s *Stream) Close() {
	p := s.pool
	if p == nil {
		return
	}
	p.mu.Lock()
	s.flush = true
	p.start()
	for len(s.full) > 0 {
		s.done.Wait()
	}
	p.open[s.kind()]--
	p.start() // a stream that waited for this one as its partner
	p.mu.Unlock()
	s.pool = nil
	if s.piece != nil {
		pieces.Put(s.piece)
	}
	for len(s.free) > 0 {
		if piece := <-s.free; piece != nil {
			pieces.Put(piece)
		}
	}
}

// start starts a goroutine if there is something to sum. The caller holds the lock.
func (p *Pool) start() {
	if p.summing < runtime.GOMAXPROCS(0) && p.ready() {
		p.summing++
		go p.sum()
	}
}

func (p *Pool) ready() bool {
	i, _ := p.choose()
	return i >= 0
}

// choose returns the streams to sum next, as indices of p.waiting: two, or one that
// cannot wait for a partner and -1, or -1 and -1 if none is ready. The caller holds
// the lock.
func (p *Pool) choose() (first, second int) {
	for i, s := range p.waiting {
		if fast {
			for j := i + 1; j < len(p.waiting); j++ {
				if p.waiting[j].kind() == s.kind() {
					return i, j
				}
			}
		}
		if s.flush || len(s.full) >= s.room || p.open[s.kind()] == 1 || !fast {
			return i, -1
		}
	}
	return -1, -1
}

// sum sums pieces until none is ready.
func (p *Pool) sum() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		i, j := p.choose()
		if i < 0 {
			p.summing--
			return
		}
		a, b := p.waiting[i], (*Stream)(nil)
		if j >= 0 {
			b = p.waiting[j]
			p.waiting = slices.Delete(p.waiting, j, j+1)
		}
		p.waiting = slices.Delete(p.waiting, i, i+1)
		x := a.full[0]
		if b == nil {
			p.mu.Unlock()
			a.sums.Write(x.piece[:x.n])
			p.mu.Lock()
		} else {
			y := b.full[0]
			p.mu.Unlock()
			writeBoth(a.sums, b.sums, x.piece[:x.n], y.piece[:y.n])
			p.mu.Lock()
			b.summed()
		}
		a.summed()
	}
}

// summed is called after the first of the stream's pieces has been summed. The
// caller holds the lock.
func (s *Stream) summed() {
	s.free <- s.full[0].piece
	s.full = slices.Delete(s.full, 0, 1)
	switch {
	case len(s.full) > 0:
		s.pool.waiting = append(s.pool.waiting, s)
	case s.flush:
		s.done.Signal()
	}
}
