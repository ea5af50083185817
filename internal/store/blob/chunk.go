package blob

import "sync"

const (
	// chunkBlocks is the number of blocks in a small chunk, 256 KiB. A range starts with a small
	// chunk, so that the first byte does not wait long.
	chunkBlocks = 4

	// largeBlocks is the number of blocks in a large chunk. Copying 1 MiB at once out of the page
	// cache takes two thirds of the time of four copies of 256 KiB.
	largeBlocks = 16

	// maxLarge is the maximum number of large chunks, 64 MiB in all. Slow clients hold theirs for
	// long; when all are in use, small chunks are used.
	maxLarge = 64
)

// A chunk is blocks of a blob that are read and checked at once.
type chunk struct {
	buf  []byte // blocks, followed by their checksums
	at   int64  // where data begins in the blob; a multiple of BlockSize
	data []byte // checked; lies in buf
	from *chunkPool
}

// room returns how many blocks fit.
func (c *chunk) room() int64 { return int64(len(c.buf)) / (BlockSize + sumSize) }

// put returns c to its pool.
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
	used   chan struct{} // a value for each chunk in use; nil: no limit
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
