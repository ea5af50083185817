package engine

import (
	"cmp"
	"sync"
	"sync/atomic"

	"github.com/stocktake/stocktake"
)

// Progress counts what a run has done. It may be read while the run is in progress;
// the run updates it once per batch, not per record. The zero value is ready.
type Progress struct {
	listed, matched, bytes, written, shards, expected, left atomic.Int64

	mu      sync.Mutex
	cursors []*cursor // of the segments, in the order of their keys
}

// A cursor is the position up to which one segment has been read.
type cursor struct {
	mu   sync.Mutex
	key  []byte // last key read
	done bool
}

// Load returns the current counts. Key is the last key read of the first segment
// that is not done: everything before it has been read.
func (p *Progress) Load() stocktake.Progress {
	return stocktake.Progress{
		Listed:   p.listed.Load(),
		Matched:  p.matched.Load(),
		Bytes:    p.bytes.Load(),
		Written:  p.written.Load(),
		Shards:   int(p.shards.Load()),
		Expected: p.expected.Load(),
		Key:      p.key(),
	}
}

// Left returns about how many records the current slice still has to read, as far as
// its scan knows; 0 if unknown.
func (p *Progress) Left() int64 { return p.left.Load() }

// begin is called once the plan is made.
func (p *Progress) begin(expected int64, segments int) {
	p.expected.Store(expected)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cursors = make([]*cursor, segments)
	for i := range p.cursors {
		p.cursors[i] = new(cursor)
	}
}

func (p *Progress) cursor(segment int) *cursor {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cursors[segment]
}

// reach records that all keys up to and including key were read and written. Empty:
// none were.
func (p *Progress) reach(key string) {
	if key != "" {
		p.cursor(0).move([]byte(key))
	}
}

func (p *Progress) add(listed int, matched, bytes int64) {
	p.listed.Add(int64(listed))
	p.matched.Add(matched)
	p.bytes.Add(bytes)
}

func (p *Progress) shard(size int64) {
	p.written.Add(size)
	p.shards.Add(1)
}

func (p *Progress) key() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := ""
	for _, c := range p.cursors {
		key, done := c.load()
		if !done {
			return cmp.Or(key, before)
		}
		before = cmp.Or(key, before)
	}
	return ""
}

func (c *cursor) load() (key string, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.key), c.done
}

func (c *cursor) move(key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = append(c.key[:0], key...)
}

func (c *cursor) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
}
