package blob

import "sync"

const (
	// chunkBlocks is how many blocks a small chunk has, 256 KiB. The beginning of a
	// range is one: the first byte must not wait for long.
	chunkBlocks = 4

	// largeBlocks is how many a large chunk has. To copy 1 MiB at once out of the
	// system's cache takes two thirds of the time of four times 256 KiB.
	largeBlocks = 16

	// maxLarge is how many large chunks there are, 64 MiB of them. Clients that
	// read slowly hold theirs for long; when all are in use, small ones do.
	maxLarge = 64
)

// A chunk is blocks of a blob that are read and checked at once.
type chunk struct {
	buf  []byte // has room for blocks, and behind them for their checksums
	at   int64  // where data begins in the blob; a multiple of BlockSize
	data []byte // checked; lies in buf
	from *chunkPool
}

// room returns how many blocks fit.
func (c *chunk) room() int64 { return int64(len(c.buf)) / (BlockSize + sumSize) }

// put gives c back to its pool.
func (c *chunk) put() {
	c.at, c.data = 0, nil
	c.from.pool.Put(c)
	if c.from.used != nil {
		<-c.from.used
	}
}

// A chunkPool keeps chunks of one size.
type chunkPool struct {
	blocks int64
	used   chan struct{} // a value for each chunk in use; nil: any number may be
	pool   sync.Pool
}

var (
	smallChunks = &chunkPool{blocks: chunkBlocks}
	largeChunks = &chunkPool{blocks: largeBlocks, used: make(chan struct{}, maxLarge)}
)

// get returns nil if all chunks are in use.
func (p *chunkPool) get() *chunk {
	if p.used != nil {
		select {
		case p.used <- struct{}{}:
		default:
			return nil
		}
	}
	if c, ok := p.pool.Get().(*chunk); ok {
		return c
	}
	return &chunk{buf: make([]byte, p.blocks*(BlockSize+sumSize)), from: p}
}
