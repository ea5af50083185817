package csvgz

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/stocktake/stocktake"
)

// An Encoder writes records as rows of a gzip-compressed CSV file, one file
// after another. Begin a file with Reset. It is not safe for concurrent use and
// holds less than 256 KiB. The same records make the same bytes, whatever was
// encoded before and however they come in batches.
type Encoder struct {
	w    io.Writer
	err  error // of w; nothing is written after it
	head string
	ops  []op

	tables
	preset [numLiterals + numDistances]uint8 // lengths that every file begins with
	limits []limit

	out    buffer // DEFLATE not written to w yet
	text   buffer // the last rows
	base   int64  // where text[0] is in the file
	summed int    // how much of text is in crc
	crc    uint32 // of what is summed: CRC-32

	cursor cursor // between two calls of Encode

	// A match is held back while what follows may lengthen it: text[held:] is
	// what stands distance bytes before. Distance 0: there is none.
	held, distance int
	reach          int // a match from no further is possible and not to be counted

	rows    int64
	lastRow int64 // where the last row begins in the file
	paths   paths
	search  search
	days    [numDays]day
	sampler
}

const (
	// A row begins with at most so much in text and out, and takes less than 9 KiB
	// of the one and 18 KiB of the other: a key of 3*maxText, two other textual
	// values of 2*maxText, the rest below 2 KiB; no byte of text takes more than two.
	textFull = 52 << 10
	outFull  = 32 << 10

	textKept = 16 << 10 // how much of the text stays when it is full; more than a row

	maxBucket = 255 // bytes of a bucket's name; no store allows more

	// never is a place that no match reaches.
	never = -1 << 40
)

// New returns an Encoder for reports of bucket with the columns given: Bucket,
// Key, then any other columns of full reports, each once. Anything else is an
// error, as is a bucket name that a bare CSV column cannot hold.
func New(bucket string, columns []stocktake.Field) (*Encoder, error) {
	if bucket == "" || len(bucket) > maxBucket || strings.ContainsAny(bucket, "\",\r\n") {
		return nil, fmt.Errorf("csvgz: bucket name %q cannot be a column", bucket)
	}
	if err := stocktake.CheckColumns(columns); err != nil {
		return nil, fmt.Errorf("csvgz: %w", err)
	}
	e := &Encoder{
		head: bucket + `,"`,
		ops:  compile(columns),
		err:  errors.New("csvgz: no file begun"),
	}
	for i := range e.ops {
		switch o := &e.ops[i]; o.field {
		case stocktake.FieldKey:
			o.column = newColumn(&escaped, &e.escape, 2)
			o.isKey = true
		case stocktake.FieldVersionID, stocktake.FieldETag:
			o.column = newColumn(&quoted, &e.quote, 1)
		}
	}
	e.limits = limitsOf(columns)
	e.presetLengths(columns)
	return e, nil
}

// Reset begins a file, dropping what was not closed. Its bytes go to w.
func (e *Encoder) Reset(w io.Writer) {
	e.w, e.err = w, nil
	e.base, e.summed, e.crc = 0, 0, 0
	e.cursor = cursor{}
	e.distance, e.reach = 0, 0
	e.rows, e.lastRow = 0, never
	for i := range e.ops {
		e.ops[i].reset()
	}
	for i := range e.days {
		e.days[i] = day{number: noDay, pos: never}
	}
	e.paths.reset()
	e.search.reset()
	e.sampler.reset()
	copy(e.literalLens[:], e.preset[:numLiterals])
	copy(e.distanceLens[:], e.preset[numLiterals:])

	// ID1, ID2, deflate, no flags, no time, fastest, unknown system.
	//
	// Source: RFC 1952, section 2.3.
	e.cursor.out = copy(e.out[:], "\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff")
	e.cursor = e.cursor.block(e)
}

// Rows is how many rows the file has so far.
func (e *Encoder) Rows() int64 { return e.rows }

// UncompressedSize is how many bytes these rows have.
func (e *Encoder) UncompressedSize() int64 { return e.base + int64(e.cursor.text) }

// Encode adds a row for each record and returns how many bytes they have
// before compression. It keeps nothing of the batch and allocates nothing. An
// error is one of the file's writer; after it only Reset is of use.
func (e *Encoder) Encode(batch []stocktake.Record) (size int64, err error) {
	if e.err != nil {
		return 0, e.err
	}
	before := e.UncompressedSize()
	c := e.cursor
	for i := range batch {
		r := &batch[i]
		if c.text > textFull {
			c = c.makeRoom(e)
		}
		if c.out > outFull {
			c = c.drain(e)
		}
		if e.rows == e.event {
			c = c.tune(e)
		}
		c = c.row(e, r)
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
	c := e.cursor.drain(e).sumText(e)
	c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out)
	c = c.put(fixedBlock).put(fixedEnd).align(&e.out)
	size := uint64(uint32(e.base + int64(c.text)))
	c = c.put(uint64(e.crc)<<codeBits | 32).spill(&e.out)
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

// makeRoom makes room in e.text. What is there is summed, the end of it stays.
func (c cursor) makeRoom(e *Encoder) cursor {
	c = c.sumText(e)
	from := min(c.text-textKept, int(max(0, e.lastRow-e.base)))
	copy(e.text[:], e.text[from:c.text])
	e.base += int64(from)
	c.text -= from
	e.summed, e.counted = c.text, c.text
	return c
}

// forget makes room in the middle of a row, for a value of any length: nothing
// stays, so no column can be compared with the row before.
func (c cursor) forget(e *Encoder) cursor {
	c = c.sumText(e)
	e.base += int64(c.text)
	c.text, e.summed, e.counted = 0, 0, 0
	for i := range e.ops {
		e.ops[i].column.reset()
	}
	return c
}

// sumText takes what is new in e.text into the checksum.
func (c cursor) sumText(e *Encoder) cursor {
	c = c.flush(e)
	e.sampleTo(c.text)
	e.crc = crc32.Update(e.crc, crc32.IEEETable, e.text[e.summed:c.text])
	return c
}

// drain makes room in e.out.
func (c cursor) drain(e *Encoder) cursor {
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
