package window

import (
	"sync/atomic"

	"github.com/stocktake/stocktake"
)

// Progress counts what a window has done. The zero value is ready. Its methods are
// safe for concurrent use.
type Progress struct {
	read, matched, bytes, written, files atomic.Int64
}

// Load returns the counts so far.
func (p *Progress) Load() stocktake.Progress {
	return stocktake.Progress{
		Listed: p.read.Load(), Matched: p.matched.Load(), Bytes: p.bytes.Load(), Written: p.written.Load(), Shards: int(p.files.Load()),
	}
}
