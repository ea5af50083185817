package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/store/layout"
)

const (
	batchRecords = 512
	arenaSize    = 128 << 10

	// scanStretch is the number of rows that are read with one iterator, which pins the write
	// buffers and tables that were current at its creation.
	scanStretch = 1 << 20
)

// A scanBuffer is the memory of one scan. Reuse avoids most of the garbage of many small runs.
type scanBuffer struct {
	batch [batchRecords]stocktake.Record
	arena [arenaSize]byte
}

var scanBuffers = sync.Pool{New: func() any { return new(scanBuffer) }}

// put returns the buffer to the pool, without references to the bytes of its records.
func (b *scanBuffer) put() {
	clear(b.batch[:])
	scanBuffers.Put(b)
}

// Scan implements engine.Snapshot. It allocates nothing per record: rows are decoded in place, and
// keys are copied into an arena that the next batch reuses.
func (sn *snapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	lower, upper := sn.bounds(seg.Prefix)
	if seg.From > seg.Prefix {
		lower = layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceVersions, sn.bucket), seg.From)
	}
	var newer bool
	if seg.After != "" {
		var err error
		if lower, newer, err = sn.behind(seg.From, seg.After); err != nil {
			return err
		}
	}
	if seg.To != "" {
		if to := layout.AppendEscaped(layout.AppendBucketHead(nil, layout.SpaceVersions, sn.bucket), seg.To); bytes.Compare(to, upper) < 0 {
			upper = to
		}
	}
	buf := scanBuffers.Get().(*scanBuffer)
	defer buf.put()
	c := scanner{all: versions, versioned: sn.versioned, yield: yield, batch: buf.batch[:0], arena: buf.arena[:0]}
	if newer {
		c.keyBuf = layout.AppendEscaped(c.keyBuf, seg.From)
		c.key, c.hasLast = c.keyBuf, true
	}
	for bytes.Compare(lower, upper) < 0 {
		it, err := sn.index.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		next, err := c.stretch(ctx, it)
		if closeErr := it.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("index: %w", closeErr)
		}
		if err != nil {
			return err
		}
		if next == nil {
			break
		}
		lower = next
	}
	return c.flush(ctx)
}

// behind returns the index key of the first version of key that is older than the version id, and
// whether the snapshot has newer ones. The version id need not exist, unless it is the null
// version, whose id does not show its age.
func (sn *snapshot) behind(key, id string) (lower []byte, newer bool, err error) {
	seq, ok := layout.ParseVersionID(id)
	if !ok {
		r, _, err := exact(sn.index, sn.bucket, key, id)
		if err != nil {
			return nil, false, err
		}
		if r == nil {
			return nil, false, fmt.Errorf("%w: %q %q", engine.ErrCursorGone, key, id)
		}
		seq = r.Seq
	}
	lower = layout.AppendVersionKey(nil, sn.bucket, key, seq-1)
	it, err := sn.index.NewIter(&pebble.IterOptions{LowerBound: layout.AppendKeyHead(nil, sn.bucket, key), UpperBound: lower})
	if err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	newer = it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, false, fmt.Errorf("index: %w", err)
	}
	return lower, newer, nil
}

// scanner converts rows to records.
type scanner struct {
	all       bool // every version
	versioned bool
	yield     func([]stocktake.Record) error

	batch []stocktake.Record
	arena []byte // what the batch points to

	key     []byte // of the last row, escaped, as keys are in the arena; in keyBuf if the arena does not have it
	keyBuf  []byte
	hasLast bool
}

// stretch continues the scan with it. If rows are left it returns the index key
// to continue from.
func (c *scanner) stretch(ctx context.Context, it *pebble.Iterator) (next []byte, err error) {
	rows := 0
	for ok := it.First(); ok; rows++ {
		indexKey := it.Key()
		if rows >= scanStretch {
			return bytes.Clone(indexKey), nil
		}
		if rows%batchRecords == batchRecords-1 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		if len(value) < layout.HotLen || len(indexKey) < layout.BucketHeadLen+layout.TerminatorLen+layout.SeqLen || value[layout.HotFormat] != layout.RowFormat {
			return nil, fmt.Errorf("%w: key %x", layout.ErrMalformed, indexKey)
		}
		key := layout.EscapedKey(indexKey)
		latest := !c.versioned || !c.hasLast || !bytes.Equal(key, c.key)
		if !c.all && (!latest || value[layout.HotFlags]&layout.FlagDeleteMarker != 0) {
			if latest {
				c.keyBuf = append(c.keyBuf[:0], key...)
				c.key, c.hasLast = c.keyBuf, true
			}
			ok = it.NextPrefix()
			continue
		}
		if len(c.batch) == cap(c.batch) || cap(c.arena)-len(c.arena) < len(key)+len(value) {
			if err := c.flush(ctx); err != nil {
				return nil, err
			}
		}
		if err := c.add(indexKey, key, value, latest); err != nil {
			return nil, err
		}
		if !c.all && c.versioned {
			ok = it.NextPrefix()
		} else {
			ok = it.Next()
		}
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return nil, nil
}

// add appends the record of a row to the batch.
func (c *scanner) add(indexKey, key, value []byte, latest bool) error {
	start := len(c.arena)
	c.arena = append(c.arena, key...)
	c.key, c.hasLast = c.arena[start:len(c.arena):len(c.arena)], true
	c.batch = c.batch[:len(c.batch)+1]
	r := &c.batch[len(c.batch)-1]
	layout.DecodeHot(value, r)
	r.Key, r.IsLatest = c.key, latest // flush unescapes the key
	switch {
	case !c.versioned:
	case value[layout.HotFlags]&layout.FlagNull != 0:
		r.VersionID = nullVersion
	default:
		start := len(c.arena)
		c.arena = layout.AppendVersionID(c.arena, layout.VersionSeq(indexKey))
		r.VersionID = c.arena[start:len(c.arena):len(c.arena)]
	}
	if value[layout.HotMore] != 0 {
		if err := layout.DecodeMore(value, r); err != nil {
			return err
		}
		start := len(c.arena)
		c.arena = append(c.arena, r.ETag.Text...)
		if r.ETag.Text != nil {
			r.ETag.Text = c.arena[start:len(c.arena):len(c.arena)]
		}
	}
	return nil
}

var nullVersion = []byte("null")

// flush hands the batch on, if there is one.
func (c *scanner) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(c.batch) == 0 {
		return nil
	}
	if c.hasLast { // it may be in the arena, which is about to be reused
		c.keyBuf = append(c.keyBuf[:0], c.key...)
		c.key = c.keyBuf
	}
	// checking all keys at once costs a tenth of checking each
	if bytes.IndexByte(c.arena, 0) >= 0 {
		for i := range c.batch {
			c.batch[i].Key = layout.Unescape(c.batch[i].Key)
		}
	}
	err := c.yield(c.batch)
	c.batch, c.arena = c.batch[:0], c.arena[:0]
	return err
}
