package csvgz

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
)

// An Encoder writes records as rows of a gzip-compressed CSV file, one file
// after another. Begin a file with Reset. It is not safe for concurrent use,
// holds about 200 KiB, and the same records make the same bytes, whatever was
// encoded before and however they come in batches.
type Encoder struct {
	w    io.Writer
	err  error // of w; nothing is written after it
	head string
	ops  []op
	row  int // bound of the text of a row, but for columns of any length

	tables
	preset [numLiterals + numDistances]uint8 // lengths that every file begins with
	limits []limit

	out    buffer // DEFLATE not written to w yet
	text   buffer // the last rows
	base   int64  // where text[0] is in the file
	summed int    // how much of text is in sum
	sum    uint32 // CRC-32
	cursor cursor // between two calls of Encode

	// A match is held back while what follows may lengthen it: text[held:] is
	// what stands distance bytes before. Distance 0: there is none.
	held, distance int
	reach          int // a match no further than this needs no care

	rows    int64
	lastRow int64 // where the end of the last row is in the file
	days    [numDays]day
	sampler
}

const (
	outSize  = 16 << 10
	textSize = 8 << 10

	// maxValue is the longest value of a column but one of any length: an ETag
	// of 32 digits, a dash and ten digits.
	maxValue = 43

	// slack is how far behind the end of what is written whole words are stored.
	slack = 128

	// never is a place that no match reaches.
	never = -1 << 40
)

// New returns an Encoder for reports of bucket with the columns given: Bucket,
// Key, then any other columns of full reports, each once. Anything else is an
// error, as is a bucket name that a bare CSV column cannot hold.
func New(bucket string, columns []stocktake.Field) (*Encoder, error) {
	if bucket == "" || strings.ContainsAny(bucket, "\",\r\n") {
		return nil, fmt.Errorf("csvgz: bucket name %q cannot be a column", bucket)
	}
	if len(columns) < 2 || columns[0] != stocktake.FieldBucket || columns[1] != stocktake.FieldKey {
		return nil, errors.New("csvgz: the first columns must be Bucket and Key")
	}
	for i, c := range columns {
		if c < stocktake.FieldBucket || c > stocktake.FieldLastAccessTimestamp {
			return nil, fmt.Errorf("csvgz: %q is no column of a full report", c)
		}
		if slices.Contains(columns[:i], c) {
			return nil, fmt.Errorf("csvgz: column %s stands twice", c)
		}
	}
	e := &Encoder{
		head: bucket + `,"`,
		ops:  compile(columns),
		row:  len(bucket) + len(columns)*(maxValue+len(`","`)) + 2*slack,
		err:  errors.New("csvgz: no file begun"),
	}
	for i := range e.ops {
		l := &e.ops[i].column
		l.texts, l.codes, l.more = &quoted, &e.quote, 1
		if e.ops[i].field == stocktake.FieldKey {
			l.texts, l.codes, l.more = &escaped, &e.escape, 2
		}
	}
	e.limits = limitsOf(columns)
	e.presetLengths(bucket, columns)
	return e, nil
}

// Reset begins a file, dropping what was not closed. Its bytes go to w.
func (e *Encoder) Reset(w io.Writer) {
	e.w, e.err = w, nil
	e.base, e.summed, e.sum = 0, 0, 0
	e.cursor = cursor{}
	e.distance, e.reach = 0, 0
	e.rows, e.lastRow = 0, never
	for i := range e.ops {
		e.ops[i].reset()
	}
	for i := range e.days {
		e.days[i] = day{number: noDay, pos: never}
	}
	e.sampler.reset()
	copy(e.literalLens[:], e.preset[:numLiterals])
	copy(e.distanceLens[:], e.preset[numLiterals:])
	e.build()

	// ID1, ID2, deflate, no flags, no time, fastest, unknown system.
	//
	// Source: RFC 1952, section 2.3.
	e.cursor.out = copy(e.out[:], "\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff")
	e.cursor = e.cursor.header(e)
}

// Rows is how many rows the file has so far.
func (e *Encoder) Rows() int64 { return e.rows }

// UncompressedSize is how many bytes these rows have.
func (e *Encoder) UncompressedSize() int64 { return e.base + int64(e.cursor.text) }

// Encode adds a row for each record and returns how many bytes they have
// before compression. It keeps nothing of the batch and allocates nothing,
// unless a record is of more than a few KiB. An error is one of the file's
// writer; after it only Reset is of use.
func (e *Encoder) Encode(batch []stocktake.Record) (size int64, err error) {
	if e.err != nil {
		return 0, e.err
	}
	before := e.UncompressedSize()
	c := e.cursor
	for i := range batch {
		r := &batch[i]
		if c.text > textSize || c.out > outSize {
			c = c.makeRoom(e)
		}
		if e.rows == e.event {
			c = c.tune(e)
		}
		c = e.encode(c, r)
		e.rows++
	}
	e.cursor = c
	for i := range e.ops {
		e.ops[i].column.keep()
	}
	return e.UncompressedSize() - before, e.err
}

// Close ends the file: all of it has been written to its writer.
func (e *Encoder) Close() error {
	if e.err != nil {
		return e.err
	}
	c := e.cursor.makeRoom(e)
	c = c.flush(e)
	c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out)
	c = c.put(fixedBlock).put(fixedEnd).align(&e.out)
	size := uint64(uint32(e.base + int64(c.text)))
	c = c.put(uint64(e.sum)<<codeBits | 32).spill(&e.out)
	c = c.put(size<<codeBits | 32).spill(&e.out)
	e.cursor = c
	e.write(c.out)
	err := e.err
	if err == nil {
		e.err = errors.New("csvgz: file closed")
	}
	return err
}

// The final block is an empty one of fixed codes: final, type 1, end of block.
const (
	fixedBlock = 0b011<<codeBits | 3
	fixedEnd   = 0<<codeBits | 7
)

// makeRoom makes room in e.text and e.out. What it drops of the text is summed;
// the last row stays.
func (c cursor) makeRoom(e *Encoder) cursor {
	c = c.flush(e)
	e.sampleTo(c.text)
	e.sum = crc32.Update(e.sum, crc32.IEEETable, e.text[e.summed:c.text])

	from := int(max(0, e.lastRow-e.base)) // the last row begins here
	n := c.text - from
	copy(e.text[:], e.text[from:c.text])
	e.base += int64(from)
	c.text, e.summed, e.counted = n, n, n

	e.write(c.out)
	c.out = 0
	return c
}

// write writes the first n bytes of e.out.
func (e *Encoder) write(n int) {
	if e.err != nil || n == 0 {
		return
	}
	written, err := e.w.Write(e.out[:n])
	if err == nil && written < n {
		err = io.ErrShortWrite
	}
	e.err = err
}
