package runs

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

// compressors is how many goroutines the reference compressor has: as many as
// the cores of the machine that figures are quoted for.
const compressors = 2

// compressed is the result of the reference compressor.
type compressed struct {
	took, cpu     time.Duration
	read, written int64 // bytes
}

// A compressor is the reference for a whole run: it compresses the rows of a report's
// shards with klauspost/compress at level 1 on two goroutines and discards the
// result. The rows are in memory before its clock runs, so that only compression is
// measured. All shards use the same memory, because a gigabyte that is allocated and
// released changes the conditions of the next run.
type compressor struct {
	rows  bytes.Buffer
	sizes [compressors]int64
}

// compress adds the time and size of a shard to c.
func (k *compressor) compress(c *compressed, stored io.Reader) error {
	z, err := gzip.NewReader(stored)
	if err != nil {
		return fmt.Errorf("read a shard: %w", err)
	}
	k.rows.Reset()
	if _, err := k.rows.ReadFrom(z); err != nil {
		return fmt.Errorf("read a shard: %w", err)
	}
	c.read += int64(k.rows.Len())
	before, err := measure.Self()
	if err != nil {
		return err
	}
	start := time.Now()
	var g errgroup.Group
	for i, part := range split(k.rows.Bytes(), compressors) {
		g.Go(func() (err error) {
			k.sizes[i], err = deflate(part)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	c.took += time.Since(start)
	after, err := measure.Self()
	c.cpu += after - before
	for _, n := range k.sizes {
		c.written += n
	}
	return err
}

// split cuts rows into n about equal parts of whole lines.
func split(rows []byte, n int) [][]byte {
	parts := make([][]byte, 0, n)
	for i := n; i > 1; i-- {
		cut := len(rows) / i
		cut += bytes.IndexByte(rows[cut:], '\n') + 1
		parts = append(parts, rows[:cut])
		rows = rows[cut:]
	}
	return append(parts, rows)
}

// deflate compresses rows at level 1 and returns the compressed size.
func deflate(rows []byte) (int64, error) {
	var n measure.Counter
	z, err := gzip.NewWriterLevel(&n, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	const block = 256 << 10 // as a writer of rows would hand them over
	for len(rows) > 0 {
		part := rows[:min(block, len(rows))]
		if _, err := z.Write(part); err != nil {
			return 0, err
		}
		rows = rows[len(part):]
	}
	err = z.Close()
	return int64(n), err
}
