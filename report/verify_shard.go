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
	"github.com/stocktake/stocktake/internal/digest"
)

// A shardCheck checks one shard by itself and remembers what the others are
// checked against.
type shardCheck struct {
	rep     *Report
	file    stocktake.ManifestFile
	summary *stocktake.SummaryFile // nil: there is none

	findings []Finding
	stored   int64
	rows     int64
	totals   Totals

	first, last []byte // keys of the first and the last row that could be read
	disorder    bool   // keys do not ascend
	repeats     repeats
}

// run reads the shard to its end. The error is one that has nothing to do with
// what the shard holds.
func (c *shardCheck) run(ctx context.Context, sr *shardReader) error {
	f, err := c.rep.bucket.Open(ctx, c.file.Key)
	if errors.Is(err, fs.ErrNotExist) {
		c.find(CheckMissing, 0, "it is missing")
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", c.file.Key, err)
	}
	defer f.Close()

	stored := &tee{r: f}
	sr.reset(stored, c.file.Key, c.rep.Columns)
	if err := c.read(ctx, sr, stored); err != nil {
		return err
	}
	// What was not read for an error in it still counts.
	if _, err := io.Copy(io.Discard, stored); err != nil {
		return fmt.Errorf("read %s: %w", c.file.Key, err)
	}
	c.compare(stored)
	return nil
}

// read checks row after row, until the end or until it cannot be told where
// the next one starts.
func (c *shardCheck) read(ctx context.Context, sr *shardReader, stored *tee) error {
	for {
		row, err := sr.next()
		if err == io.EOF {
			return nil
		}
		if stored.err != nil {
			return fmt.Errorf("read %s: %w", c.file.Key, stored.err)
		}
		if sr.n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if e, ok := errors.AsType[*RowError](err); ok {
			c.rows++
			c.find(CheckRow, e.Row, "%s", e.detail())
			if sr.bad != nil {
				return nil
			}
			continue
		}
		if err != nil {
			c.find(CheckGzip, 0, "after %d rows: %v", c.rows, err)
			return nil
		}
		c.row(row, sr.n)
	}
}

func (e *RowError) detail() string {
	if e.Column == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s %q: %v", e.Column, e.Value, e.Err)
}

func (c *shardCheck) row(row *Row, n int64) {
	c.rows++
	c.totals.Add(&row.Record)
	if row.Bucket != nil && string(row.Bucket) != c.rep.Manifest.SourceBucket {
		c.find(CheckRow, n, "bucket %.80q, the manifest says %q", row.Bucket, c.rep.Manifest.SourceBucket)
	}
	if len(row.Key) == 0 {
		c.find(CheckRow, n, "the key is empty")
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
				c.find(CheckOrder, n, "key %.200q comes after %.200q", row.Key, c.last)
			}
		}
	}
	c.last = append(c.last[:0], row.Key...)
}

// compare holds what was read against what manifest and summary say.
func (c *shardCheck) compare(stored *tee) {
	c.stored = stored.size
	if c.stored != c.file.Size {
		c.find(CheckSize, 0, "%d bytes, the manifest says %d", c.stored, c.file.Size)
	}
	md5Sum, sha256Sum := stored.sums.Sum()
	if sum := fmt.Sprintf("%X", md5Sum); sum != c.file.MD5 {
		c.find(CheckMD5, 0, "%s, the manifest says %s", sum, c.file.MD5)
	}
	s := c.summary
	if s == nil {
		return
	}
	if sum := hex.EncodeToString(sha256Sum[:]); sum != s.SHA256 {
		c.find(CheckSHA256, 0, "%s, the summary says %.64s", sum, s.SHA256)
	}
	if c.rows != s.Rows {
		c.find(CheckRows, 0, "%d rows, the summary says %d", c.rows, s.Rows)
	}
	if first := string(AppendKey(nil, c.first)); first != s.FirstKey {
		c.find(CheckRange, 0, "the first key is %.200q, the summary says %.200q", first, s.FirstKey)
	}
	if last := string(AppendKey(nil, c.last)); last != s.LastKey {
		c.find(CheckRange, 0, "the last key is %.200q, the summary says %.200q", last, s.LastKey)
	}
}

// find adds a finding, or counts one more of its kind.
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

// A tee passes on what is read from r, and hashes and counts it. It remembers an error of r,
// which is not one of the shard.
type tee struct {
	r    io.Reader
	sums digest.Sums
	size int64
	err  error
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.sums.Write(p[:n])
	t.size += int64(n)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}
