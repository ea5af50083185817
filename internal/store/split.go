package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake/internal/store/layout"
)

const (
	// sampledSize is the size on disk below which a key range is cut by reading its keys, since
	// most of it may be in the write buffers, whose sizes Pebble does not report.
	sampledSize = 16 << 20
	maxSampled  = 1 << 19 // rows read at most
	maxSamples  = 1 << 13 // keys kept at once

	// bisections bounds the steps to one cut; each at least halves the remaining key range.
	bisections = 40
)

// Split implements engine.Snapshot.
func (sn *snapshot) Split(ctx context.Context, prefix string, n int) ([]string, error) {
	if n < 2 {
		return nil, nil
	}
	lower, upper := sn.bounds(prefix)
	size, err := sn.s.db.EstimateDiskUsage(lower, upper)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	it, err := sn.index.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	defer it.Close()
	c := cutter{sn: sn, it: it, first: lower}
	if size < sampledSize {
		err = c.sample(ctx, n)
	} else if it.Last() {
		last := bytes.Clone(it.Key())
		if it.First() {
			err = c.bisect(ctx, span{bytes.Clone(it.Key()), last, 0, size}, n)
		}
	}
	if err == nil {
		err = it.Error()
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(c.cuts)
	c.cuts = slices.Compact(c.cuts)
	return slices.DeleteFunc(c.cuts, func(k string) bool { return k <= prefix }), nil
}

// cutter finds keys to cut at.
type cutter struct {
	sn    *snapshot
	it    *pebble.Iterator
	first []byte // lower bound of the range
	cuts  []string
}

// cut adds the object key of an index key.
func (c *cutter) cut(indexKey []byte) {
	c.cuts = append(c.cuts, layout.Unescaped(layout.EscapedKey(indexKey)))
}

// sample reads the rows, keeps some of their keys, and cuts at keys in even distances.
func (c *cutter) sample(ctx context.Context, n int) error {
	var samples [][]byte
	every := 1
	row := 0
	for ok := c.it.First(); ok && row < maxSampled; ok = c.it.Next() {
		if row%every == 0 {
			if len(samples) == maxSamples {
				for i := range maxSamples / 2 {
					samples[i] = samples[2*i]
				}
				samples = samples[:maxSamples/2]
				every *= 2
			}
			samples = append(samples, bytes.Clone(c.it.Key()))
		}
		if row++; row%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for i := 1; i < n && len(samples) > 0; i++ {
		c.cut(samples[len(samples)*i/n])
	}
	return nil
}

// A span is the rows between two existing index keys, and the bytes on disk before
// each, from the start of the range.
type span struct {
	first, last   []byte
	before, until uint64
}

// bisect cuts s into n about equal parts.
func (c *cutter) bisect(ctx context.Context, s span, n int) error {
	if n < 2 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	left := n / 2
	target := s.before + uint64(float64(s.until-s.before)*float64(left)/float64(n))
	tolerance := (s.until - s.before) / uint64(n) / 50
	lo, hi := s.first, s.last // the cut lies in (lo, hi]
	var at []byte
	var size uint64
	for range bisections {
		mid, ok := middle(lo, hi)
		if !ok {
			break
		}
		if !c.it.SeekGE(mid) || bytes.Compare(c.it.Key(), hi) >= 0 {
			if err := c.it.Error(); err != nil {
				return fmt.Errorf("index: %w", err)
			}
			hi = mid // no rows there
			continue
		}
		key := bytes.Clone(c.it.Key())
		used, err := c.sn.s.db.EstimateDiskUsage(c.first, key)
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		at, size = key, used
		switch {
		case used+tolerance < target:
			lo = key
		case used > target+tolerance:
			hi = mid
		default:
			lo, hi = key, key
		}
	}
	if at == nil || size <= s.before || size >= s.until {
		return nil
	}
	c.cut(at)
	if err := c.bisect(ctx, span{s.first, at, s.before, size}, left); err != nil {
		return err
	}
	return c.bisect(ctx, span{at, s.last, size, s.until}, n-left)
}

// middle returns a key about half way between two, which need not be the key of a row. It fails if
// they are too close.
func middle(lo, hi []byte) ([]byte, bool) {
	shared := 0
	for shared < len(lo) && shared < len(hi) && lo[shared] == hi[shared] {
		shared++
	}
	a, b := word(lo[shared:]), word(hi[shared:])
	if b <= a+1 {
		return nil, false
	}
	return binary.BigEndian.AppendUint64(bytes.Clone(lo[:shared]), a+(b-a)/2), true
}

// word returns the first 8 bytes of b as a number; missing bytes are 0.
func word(b []byte) uint64 {
	var w [8]byte
	copy(w[:], b)
	return binary.BigEndian.Uint64(w[:])
}
