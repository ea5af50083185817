package engine

import "sync"

// blockSize is small enough that the partly filled blocks of many scans take little
// memory, and large enough that a piece has few blocks.
const blockSize = 32 << 10

// blocks lends memory for encoded pieces, in reusable blocks of one size. The zero
// value is ready.
type blocks struct {
	mu   sync.Mutex
	free [][]byte
	lent int64 // bytes
}

func (b *blocks) get() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent += blockSize
	if n := len(b.free); n > 0 {
		block := b.free[n-1]
		b.free = b.free[:n-1]
		return block
	}
	return make([]byte, 0, blockSize)
}

func (b *blocks) put(all [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent -= blockSize * int64(len(all))
	for _, block := range all {
		b.free = append(b.free, block[:0])
	}
}

// used returns how many bytes are lent.
func (b *blocks) used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lent
}

// A blockWriter stores the bytes written to it in blocks.
type blockWriter struct {
	from *blocks
	all  [][]byte
}

// Write implements io.Writer. It never fails.
func (w *blockWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if k := len(w.all); k == 0 || len(w.all[k-1]) == blockSize {
			w.all = append(w.all, w.from.get())
		}
		last := &w.all[len(w.all)-1]
		m := min(len(p), blockSize-len(*last))
		*last = append(*last, p[:m]...)
		p = p[m:]
	}
	return n, nil
}

// take returns the blocks and resets the writer to none.
func (w *blockWriter) take() [][]byte {
	all := w.all
	w.all = nil
	return all
}
