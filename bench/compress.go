package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/bench/measure"
)

// compressors is how many goroutines the reference compressor has: as many as
// the cores of the machine that figures are quoted for.
const compressors = 2

// compressed is what the reference compressor did.
type compressed struct {
	took, cpu     time.Duration
	read, written int64 // bytes
}

// compressAlone is the reference that a whole run is held against: it
// compresses the rows of a report's shards with klauspost/compress at level 1 on
// two goroutines and drops the result. The rows are in memory before its clock
// runs, so that it is charged for nothing else.
func compressAlone(shards [][]byte) (c compressed, err error) {
	sizes := make([]int64, compressors)
	for _, stored := range shards {
		rows, err := inflate(stored)
		if err != nil {
			return compressed{}, err
		}
		c.read += int64(len(rows))
		before, err := measure.Of(os.Getpid())
		if err != nil {
			return compressed{}, err
		}
		start := time.Now()
		var g errgroup.Group
		for i, part := range split(rows, compressors) {
			g.Go(func() error {
				n, err := deflate(part)
				sizes[i] += n
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return compressed{}, err
		}
		c.took += time.Since(start)
		after, err := measure.Of(os.Getpid())
		if err != nil {
			return compressed{}, err
		}
		c.cpu += after.CPU - before.CPU
	}
	for _, n := range sizes {
		c.written += n
	}
	return c, nil
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

// inflate unpacks a shard.
func inflate(stored []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, fmt.Errorf("read a shard: %w", err)
	}
	rows, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("read a shard: %w", err)
	}
	return rows, nil
}

// deflate compresses rows at level 1 and returns the compressed size.
func deflate(rows []byte) (int64, error) {
	var n counter
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

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
