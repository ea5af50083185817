package report

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

// A ChangeWriter writes the files of an incremental report, one after another, and
// counts and hashes each. It is not safe for concurrent use.
type ChangeWriter struct {
	rows   *csvrow.Encoder
	limits Limits

	out   sink
	buf   []byte
	n     int64 // rows of the file
	bytes int64
}

// changeFlush is how many bytes of rows are gathered before they are written.
const changeFlush = 64 << 10

// NewChangeWriter returns a ChangeWriter for incremental reports of bucket with the
// columns given. A file ends with the row that reaches a limit. It is an error if
// incremental reports have no such columns, or the bucket a name that CSV cannot
// hold.
func NewChangeWriter(bucket string, columns []stocktake.Field, limits Limits) (*ChangeWriter, error) {
	rows, err := csvrow.NewChangeEncoder(bucket, columns)
	if err != nil {
		return nil, err
	}
	limits.Rows = cmp.Or(limits.Rows, DefaultShardRows)
	limits.Bytes = cmp.Or(limits.Bytes, DefaultShardBytes)
	return &ChangeWriter{rows: rows, limits: limits, buf: make([]byte, 0, changeFlush+8192)}, nil
}

// Begin begins a file whose bytes go to w, dropping one that was not ended.
func (c *ChangeWriter) Begin(w io.Writer) {
	c.Drop()
	c.out.begin(w)
	c.buf, c.n, c.bytes = c.buf[:0], 0, 0
}

// Write adds a row and keeps nothing of it. It does not allocate.
func (c *ChangeWriter) Write(r *stocktake.ChangedRecord) error {
	if c.out.stream == nil {
		return errNoShard
	}
	before := len(c.buf)
	c.buf = c.rows.AppendChange(c.buf, r)
	c.n++
	c.bytes += int64(len(c.buf) - before)
	if len(c.buf) < changeFlush {
		return nil
	}
	return c.flush()
}

func (c *ChangeWriter) flush() error {
	_, err := c.out.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// Full reports whether the file has reached a limit.
func (c *ChangeWriter) Full() bool { return c.n >= c.limits.Rows || c.bytes >= c.limits.Bytes }

// End writes the rest of the file to the writer of Begin and returns its
// description.
func (c *ChangeWriter) End() (Shard, error) {
	if c.out.stream == nil {
		return Shard{}, errNoShard
	}
	if err := c.flush(); err != nil {
		return Shard{}, err
	}
	if err := c.out.flush(); err != nil {
		return Shard{}, err
	}
	c.out.end() // the sums are complete
	var sh Shard
	md5Sum, sha256Sum := c.out.sums.Sum()
	sh.Sum = md5Sum
	sh.SummaryFile = stocktake.SummaryFile{
		Size: c.out.size, MD5: fmt.Sprintf("%X", md5Sum), SHA256: hex.EncodeToString(sha256Sum[:]), Rows: c.n,
	}
	return sh, nil
}

// Drop releases the resources of a file that was begun and will not be ended. After
// End, or if no file was begun, it does nothing.
func (c *ChangeWriter) Drop() { c.out.end() }
