package report

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/rollup"
)

// A shardCheck checks one shard on its own and keeps what is needed to check the
// shards against each other.
type shardCheck struct {
	rep     *Report
	file    stocktake.ManifestFile
	summary *stocktake.SummaryFile // nil: there is none

	findings []Finding
	stored   int64
	rows     int64
	totals   Totals

	sums     *rollup.Builder // of the rows; nil: they are not added up
	progress *progress

	firstSequence, sequence uint64 // of the first and the last row of an incremental report

	first, last []byte // keys of the first and the last row that could be read
	disorder    bool   // keys do not ascend
	repeats     repeats

	nextPieces []stocktake.SummaryPiece // pieces of the index that begin after the rows read so far
}

// run reads and checks the shard. Faults of the shard are findings; the error is
// one of the bucket or the context.
func (c *shardCheck) run(ctx context.Context, reader format.Reader) error {
	pieces := c.checkIndex()
	c.nextPieces = pieces
	stored := newSummedFile(c.rep.bucket, c.file, pieces, c.progress)
	defer stored.end()
	err := reader.Open(ctx, stored, format.Place{})
	if errors.Is(err, fs.ErrNotExist) {
		c.find(CheckMissing, 0, "it is missing")
		return nil
	}
	if stored.err != nil {
		return stored.err
	}
	if err != nil {
		c.find(CheckFormat, 0, "%v", err)
	} else if err := c.read(ctx, reader, stored); err != nil {
		return errors.Join(err, reader.Close())
	}
	// Hash what the reader left unread after a fault.
	if err := stored.finish(ctx); err != nil {
		return errors.Join(err, reader.Close())
	}
	if err := c.compare(stored); err != nil {
		return errors.Join(err, reader.Close())
	}
	if err := c.checkPieces(ctx, reader, stored, pieces); err != nil {
		return errors.Join(err, reader.Close())
	}
	if err := reader.Close(); err != nil {
		return fmt.Errorf("close %s: %w", c.file.Key, err)
	}
	return nil
}

// hash reads the shard without looking into it.
func (c *shardCheck) hash(ctx context.Context, _ format.Reader) error {
	stored := newSummedFile(c.rep.bucket, c.file, nil, c.progress)
	defer stored.end()
	err := stored.finish(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		c.find(CheckMissing, 0, "it is missing")
		return nil
	}
	if err != nil {
		return err
	}
	return c.compareStored(stored)
}

// otherRows reports whether rows are wrong, missing or too many: then totals must
// differ, and are not compared.
func (c *shardCheck) otherRows() bool {
	for _, f := range c.findings {
		switch f.Check {
		case CheckMissing, CheckFormat, CheckRow, CheckRows, CheckOrder, CheckDuplicate:
			return true
		}
	}
	return false
}

// maxSurplus is how many rows are read beyond those that the summary announces: a
// few bytes may decompress to billions of them.
const maxSurplus = 1 << 17

// read checks row after row, until the end or until the beginning of the next
// row is unknown.
func (c *shardCheck) read(ctx context.Context, reader format.Reader, stored *summedFile) error {
	for {
		row, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if stored.err != nil {
			return stored.err
		}
		if c.rows%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if c.summary != nil && c.rows-maxSurplus >= max(c.summary.Rows, 0) {
			c.find(CheckRows, 0, "more than %d rows, the summary says %d", c.rows, c.summary.Rows)
			return nil
		}
		if e, ok := errors.AsType[*RowError](err); ok {
			c.rows++
			c.find(CheckRow, e.Row, "%s", e.Detail())
			if e.Fatal {
				return nil
			}
			continue
		}
		if err != nil {
			c.find(CheckFormat, 0, "after %d rows: %v", c.rows, err)
			return nil
		}
		c.row(row, c.rows+1)
	}
}

func (c *shardCheck) row(row *Row, n int64) {
	c.rows++
	c.totals.Add(&row.Record)
	if c.sums != nil {
		c.sums.AddOne(&row.Record)
	}
	if row.Bucket != nil && string(row.Bucket) != c.rep.Manifest.SourceBucket {
		c.find(CheckRow, n, "bucket %.80q, the manifest says %q", row.Bucket, c.rep.Manifest.SourceBucket)
	}
	c.checkPieceKey(row.Key, n)
	if len(row.Key) == 0 {
		c.find(CheckRow, n, "the key is empty")
	}
	if row.Size < 0 {
		c.find(CheckRow, n, "the size is negative: %d", row.Size)
	}
	if c.rep.Incremental() {
		c.checkSequence(row, n)
		return
	}
	if c.repeats.started == 0 {
		c.first = bytes.Clone(row.Key)
		c.repeats.start(row.VersionID)
	} else {
		switch bytes.Compare(row.Key, c.last) {
		case 1:
			c.repeats.start(row.VersionID)
		case 0:
			if c.repeats.repeated(row.VersionID) {
				c.find(CheckDuplicate, n, "key %.200q, version %.80q", row.Key, row.VersionID)
			}
		case -1:
			c.repeats.start(row.VersionID)
			c.disorder = true
			if c.rep.Summary != nil {
				c.find(CheckOrder, n, "key %.200q follows the greater key %.200q", row.Key, c.last)
			}
		}
	}
	c.last = append(c.last[:0], row.Key...)
}

// compareStored compares the stored bytes with manifest and summary.
func (c *shardCheck) compareStored(stored *summedFile) error {
	c.stored = stored.size
	switch {
	case c.stored > c.file.Size:
		c.find(CheckSize, 0, "more than the %d bytes that the manifest says", c.file.Size)
	case c.stored < c.file.Size:
		c.find(CheckSize, 0, "%d bytes, the manifest says %d", c.stored, c.file.Size)
	}
	md5Sum, sha256Sum, err := stored.hashes()
	if err != nil {
		return err
	}
	if sum := fmt.Sprintf("%X", md5Sum); sum != c.file.MD5 {
		c.find(CheckMD5, 0, "%s, the manifest says %s", sum, c.file.MD5)
	}
	if c.summary == nil {
		return nil
	}
	if sum := hex.EncodeToString(sha256Sum[:]); sum != c.summary.SHA256 {
		c.find(CheckSHA256, 0, "%s, the summary says %.64s", sum, c.summary.SHA256)
	}
	return nil
}

// compare compares the rows read with manifest and summary.
func (c *shardCheck) compare(stored *summedFile) error {
	if err := c.compareStored(stored); err != nil {
		return err
	}
	s := c.summary
	if s == nil {
		return nil
	}
	if c.rows != s.Rows {
		c.find(CheckRows, 0, "%d rows, the summary says %d", c.rows, s.Rows)
	}
	if c.rep.Incremental() {
		return nil
	}
	if first := string(AppendKey(nil, c.first)); first != s.FirstKey {
		c.find(CheckRange, 0, "the first key is %.200q, the summary says %.200q", first, s.FirstKey)
	}
	if last := string(AppendKey(nil, c.last)); last != s.LastKey {
		c.find(CheckRange, 0, "the last key is %.200q, the summary says %.200q", last, s.LastKey)
	}
	return nil
}

// find adds a finding, or increments the count of an earlier one of its kind.
func (c *shardCheck) find(check Check, row int64, format string, args ...any) {
	for i := range c.findings {
		if f := &c.findings[i]; f.Check == check {
			f.Count++
			return
		}
	}
	c.findings = append(c.findings, Finding{
		File: c.file.Key, Check: check, Row: row, Count: 1, Detail: fmt.Sprintf(format, args...),
	})
}
