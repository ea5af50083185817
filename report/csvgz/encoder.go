package csvgz

import (
	"errors"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// An Encoder encodes records as pieces of a shard: rows of CSV in raw DEFLATE,
// which begin with an empty window and end at a byte boundary. It is a
// [format.Encoder]. It is not safe for concurrent use and holds less than 256 KiB.
type Encoder struct {
	w    io.Writer
	err  error // of w; nothing is written after an error
	head string
	ops  []op

	tables
	preset *preset

	out    buffer   // DEFLATE not written to w yet
	text   buffer   // the last rows
	base   int64    // position of text[0] in the piece
	summed int      // bytes of text that are in crc
	crc    Checksum // of the text before summed

	cursor cursor // between two calls of Encode

	// A match is held back while the next bytes may extend it: text[held:] repeats
	// the text distance bytes before it. If distance is 0 there is none.
	held, distance int
	reach          int // matches within this distance are possible and not sampled

	rows    int64
	stored  int64 // written to w
	lastRow int64 // position of the last row in the piece
	paths   paths
	search  search
	days    [numDays]day
	sampler
}

const (
	// At the beginning of a row text and out have at most this many bytes. A row
	// needs less than 9 KiB of text and 18 KiB of out: a key of 3*maxText, two other
	// textual values of 2*maxText, the rest below 2 KiB, and at most two bytes of out
	// for each byte of text.
	textFull = 52 << 10
	outFull  = 32 << 10

	textKept = 16 << 10 // bytes of text that are kept when it is full; more than a row

	// noPosition is a position that no match reaches.
	noPosition = -1 << 40
)

// New returns an Encoder for reports of bucket with the given columns: Bucket, Key,
// then any other columns of full reports, each once. Other columns are an error, as
// is a bucket name that a bare CSV column cannot hold.
func New(bucket string, columns []stocktake.Field) (*Encoder, error) {
	if err := check(bucket, columns); err != nil {
		return nil, err
	}
	e := &Encoder{
		head: bucket + `,"`,
		ops:  compile(columns),
		err:  errors.New("csvgz: no piece begun"),
	}
	for i := range e.ops {
		switch o := &e.ops[i]; o.field {
		case stocktake.FieldKey:
			o.column = newColumn(escaped, &e.escape, 2)
			o.isKey = true
		case stocktake.FieldVersionID, stocktake.FieldETag:
			o.column = newColumn(quoted, &e.quote, 1)
		}
	}
	e.preset = presetOf(columns)
	return e, nil
}

// Reset implements [format.Encoder].
func (e *Encoder) Reset(w io.Writer) {
	e.w, e.err = w, nil
	e.base, e.summed, e.crc = 0, 0, 0
	e.cursor = cursor{}
	e.distance, e.reach = 0, 0
	e.rows, e.stored, e.lastRow = 0, 0, noPosition
	for i := range e.ops {
		e.ops[i].reset()
	}
	for i := range e.days {
		e.days[i] = day{number: noDay, pos: noPosition}
	}
	e.paths.reset()
	e.search.reset()
	e.sampler.reset()
	copy(e.literalLens[:], e.preset.lengths[:numLiterals])
	copy(e.distanceLens[:], e.preset.lengths[numLiterals:])
	e.cursor = e.cursor.block(e)
}

// size returns the size of the rows of the piece in bytes.
func (e *Encoder) size() int64 { return e.base + int64(e.cursor.text) }

// Encode implements [format.Encoder]. It allocates nothing.
func (e *Encoder) Encode(batch []stocktake.Record) (size int64, err error) {
	if e.err != nil {
		return 0, e.err
	}
	before := e.size()
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
	return e.size() - before, e.err
}

// Close implements [format.Encoder]. The piece ends like a flush: its block, then
// an empty stored block, which ends at a byte boundary.
//
// Source: RFC 1951, section 3.2.4.
func (e *Encoder) Close() (format.Piece, error) {
	if e.err != nil {
		return format.Piece{}, e.err
	}
	c := e.cursor.drain(e).sumText(e)
	c = c.put(uint64(e.literal[endOfBlock])).spill(&e.out)
	c = c.put(storedBlock).align(&e.out)
	c = c.put(storedEmpty).spill(&e.out)
	e.cursor = c
	e.write(c.out)
	if e.err != nil {
		return format.Piece{}, e.err
	}
	e.err = errors.New("csvgz: piece closed")
	return format.Piece{Rows: e.rows, Size: e.size(), Stored: e.stored, Detail: e.crc}, nil
}

const (
	storedBlock = 0<<codeBits | 3           // not final, type 0
	storedEmpty = 0xffff0000<<codeBits | 32 // its length and the complement
)

// makeRoom makes room in e.text and keeps the end of it.
func (c cursor) makeRoom(e *Encoder) cursor {
	c = c.sumText(e)
	from := min(c.text-textKept, int(max(0, e.lastRow-e.base)))
	copy(e.text[:], e.text[from:c.text])
	e.base += int64(from)
	c.text -= from
	e.summed, e.counted = c.text, c.text
	return c
}

// forget makes room in e.text in the middle of a row, for a value of any length. It
// keeps nothing, so no column is compared with the previous row.
func (c cursor) forget(e *Encoder) cursor {
	c = c.sumText(e)
	e.base += int64(c.text)
	c.text, e.summed, e.counted = 0, 0, 0
	for i := range e.ops {
		e.ops[i].column.reset()
	}
	return c
}

// sumText adds the new part of e.text to the checksum.
func (c cursor) sumText(e *Encoder) cursor {
	c = c.flush(e)
	e.sampleTo(c.text)
	e.crc = e.crc.Update(e.text[e.summed:c.text])
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
	e.stored += int64(written)
	if err == nil && written < n {
		err = io.ErrShortWrite
	}
	e.err = err
}
