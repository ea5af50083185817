package parquet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake/report/format"
)

// Bounds on the metadata of a file.
const (
	maxFooter = 16 << 20 // bytes
	tailSize  = 64 << 10 // bytes at the end that are read first

	// A row has a distinct key, so that even a compressed file has at most this many
	// rows per byte.
	maxRowsPerByte = 1 << 10
)

// ErrNotParquet is wrapped by errors for files that are not Parquet, are damaged,
// or have impossible metadata.
var ErrNotParquet = errors.New("not a Parquet file")

// A leaf is a column of a file.
type leaf struct {
	name     string
	typ      int64
	optional bool
	flat     bool  // neither nested nor repeated
	perSec   int64 // of a timestamp: units per second; 0: not a timestamp, or unknown
	unsigned bool
}

// A storedChunk is a column chunk of a file.
type storedChunk struct {
	codec       int64
	typ         int64
	start, size int64 // in the file
	values      int64

	bounds, places indexRange // of its pages
}

// An indexRange is the position of a part of the page index; its size is 0 if there
// is none.
type indexRange struct{ start, size int64 }

// A storedGroup is a row group of a file.
type storedGroup struct {
	row        int64 // number of rows before it
	rows       int64
	start, end int64 // of its chunks in the file
	chunks     []storedChunk
}

// A metadata is the part of a file's footer that the reader needs.
type metadata struct {
	rows   int64
	leaves []leaf
	groups []storedGroup

	tail      []byte // of the file
	tailStart int64
}

// readMetadata reads the footer of f.
func readMetadata(ctx context.Context, f format.File) (*metadata, error) {
	size := f.Size()
	n := min(size, tailSize)
	tail, err := readRange(ctx, f, size-n, n, nil)
	if err != nil {
		return nil, err
	}
	if size < 12 {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrNotParquet, size)
	}
	switch end := string(tail[len(tail)-4:]); end {
	case magic:
	case "PARE":
		return nil, fmt.Errorf("%w that can be read: its footer is encrypted", ErrNotParquet)
	default:
		return nil, fmt.Errorf("%w: it does not end with %s", ErrNotParquet, magic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[len(tail)-8:]))
	if length > size-12 {
		return nil, fmt.Errorf("%w: a footer of %d bytes in %d", ErrNotParquet, length, size)
	}
	if length > maxFooter {
		return nil, fmt.Errorf("%w that can be read: a footer of %d bytes, more than %d", ErrNotParquet, length, maxFooter)
	}
	if length+8 > int64(len(tail)) {
		if tail, err = readRange(ctx, f, size-8-length, length+8, nil); err != nil {
			return nil, err
		}
	}
	m, err := parseFooter(tail[int64(len(tail))-8-length:len(tail)-8], size-8-length)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotParquet, err)
	}
	m.tail, m.tailStart = tail, size-int64(len(tail))
	return m, nil
}

// readRange reads exactly length bytes of f from offset on. It uses buf if that is
// large enough.
func readRange(ctx context.Context, f format.File, offset, length int64, buf []byte) ([]byte, error) {
	body, err := f.Open(ctx, offset, length)
	if err != nil {
		return nil, err
	}
	if int64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	if _, err = io.ReadFull(body, buf); err == io.EOF && length > 0 {
		err = io.ErrUnexpectedEOF
	}
	return buf, errors.Join(err, body.Close())
}

// parseFooter parses FileMetaData of a file whose row groups end before data.
func parseFooter(b []byte, data int64) (*metadata, error) {
	m := new(metadata)
	r := &structReader{b: b}
	var tree []element
	r.fields(func(id int16, typ byte) {
		switch id {
		case 2:
			r.structs(typ, func() {
				if len(tree) > 2*maxColumns {
					r.fail(fmt.Errorf("more than %d columns", maxColumns))
					return
				}
				tree = append(tree, readElement(r))
			})
		case 3:
			m.rows = r.integer(typ)
		case 4:
			if m.leaves == nil {
				m.leaves = leavesOf(tree)
			}
			r.structs(typ, func() { m.addGroup(r, data) })
		default:
			r.skip(typ)
		}
	})
	if r.err != nil {
		return nil, r.err
	}
	if m.leaves == nil {
		m.leaves = leavesOf(tree)
	}
	total := int64(0)
	for _, g := range m.groups {
		total += g.rows
	}
	if m.rows != total {
		return nil, fmt.Errorf("%d rows, its row groups have %d", m.rows, total)
	}
	return m, nil
}

// An element is a SchemaElement.
type element struct {
	leaf
	children int64
	repeated bool
}

func readElement(r *structReader) element {
	e := element{leaf: leaf{typ: -1}}
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			e.typ = r.integer(typ)
		case 3:
			repetition := r.integer(typ)
			e.optional, e.repeated = repetition == 1, repetition == 2
		case 4:
			name := r.binary(typ)
			e.name = string(name[:min(len(name), 200)])
		case 5:
			e.children = r.integer(typ)
		case 6:
			switch r.integer(typ) {
			case convertedTimestampMillis:
				e.perSec = 1000
			case convertedTimestampMicros:
				e.perSec = 1_000_000
			case 14: // UINT_64
				e.unsigned = true
			}
		case 10:
			e.readLogical(r, typ)
		default:
			r.skip(typ)
		}
	})
	return e
}

// readLogical reads a LogicalType.
func (e *element) readLogical(r *structReader, typ byte) {
	if typ != thriftStruct {
		r.fail(errStruct)
		return
	}
	r.fields(func(id int16, typ byte) {
		if typ != thriftStruct || id != 8 { // TIMESTAMP
			r.skip(typ)
			return
		}
		r.fields(func(id int16, typ byte) {
			if typ != thriftStruct || id != 2 {
				r.skip(typ)
				return
			}
			r.fields(func(id int16, typ byte) {
				if id >= 1 && id <= 3 {
					e.perSec = [...]int64{1000, 1_000_000, 1_000_000_000}[id-1]
				}
				r.skip(typ)
			})
		})
	})
}

// leavesOf returns the columns of a schema in the order of their chunks.
func leavesOf(tree []element) (leaves []leaf) {
	if len(tree) == 0 {
		return nil
	}
	// How many children each open group still has; the first is the root.
	open := []int64{tree[0].children}
	for _, e := range tree[1:] {
		for len(open) > 1 && open[len(open)-1] <= 0 {
			open = open[:len(open)-1]
		}
		open[len(open)-1]--
		if e.children > 0 {
			open = append(open, e.children)
			continue
		}
		e.flat = len(open) == 1 && !e.repeated
		leaves = append(leaves, e.leaf)
	}
	return leaves
}

// addGroup reads a RowGroup.
func (m *metadata) addGroup(r *structReader, data int64) {
	g := storedGroup{start: data}
	if n := len(m.groups); n > 0 {
		g.row = m.groups[n-1].row + m.groups[n-1].rows
	}
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			r.structs(typ, func() {
				c := readChunk(r)
				if r.err != nil {
					return
				}
				if c.start < 4 || c.size < 1 || c.start > data-c.size || c.values < 0 {
					r.fail(fmt.Errorf("a column chunk claims %d bytes, %d values at byte %d of %d", c.size, c.values, c.start, data))
					return
				}
				g.start, g.end = min(g.start, c.start), max(g.end, c.start+c.size)
				g.chunks = append(g.chunks, c)
			})
		case 3:
			g.rows = r.integer(typ)
		default:
			r.skip(typ)
		}
	})
	switch {
	case r.err != nil:
	case len(g.chunks) != len(m.leaves):
		r.fail(fmt.Errorf("a row group has %d columns, the schema has %d", len(g.chunks), len(m.leaves)))
	case g.rows < 0 || g.rows > maxRowsPerByte*data-g.row:
		r.fail(fmt.Errorf("a row group claims %d rows in %d bytes", g.rows, data))
	default:
		for i, c := range g.chunks {
			if m.leaves[i].flat && c.values != g.rows {
				r.fail(fmt.Errorf("column %q has %d values in a row group of %d rows", m.leaves[i].name, c.values, g.rows))
				return
			}
		}
		m.groups = append(m.groups, g)
	}
}

// readChunk reads a ColumnChunk.
func readChunk(r *structReader) (c storedChunk) {
	var offset, dictionary int64
	r.fields(func(id int16, typ byte) {
		switch {
		case id == 1:
			r.fail(errors.New("a column chunk is in another file"))
		case id == 4:
			c.places.start = r.integer(typ)
		case id == 5:
			c.places.size = r.integer(typ)
		case id == 6:
			c.bounds.start = r.integer(typ)
		case id == 7:
			c.bounds.size = r.integer(typ)
		case id != 3 || typ != thriftStruct:
			r.skip(typ)
		default:
			r.fields(func(id int16, typ byte) {
				switch id {
				case 1:
					c.typ = r.integer(typ)
				case 4:
					c.codec = r.integer(typ)
				case 5:
					c.values = r.integer(typ)
				case 7:
					c.size = r.integer(typ)
				case 9:
					offset = r.integer(typ)
				case 11:
					dictionary = r.integer(typ)
				default:
					r.skip(typ)
				}
			})
		}
	})
	c.start = offset
	if dictionary > 0 && dictionary < offset {
		c.start = dictionary
	}
	return c
}
