package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// magic is at the beginning and the end of a file.
const magic = "PAR1"

// A joiner joins row groups to a file: magic number, row groups, page index,
// footer. It is a [format.Joiner].
type joiner struct {
	columns []stocktake.Field
	origin  format.Origin

	w      io.Writer
	offset int64 // of the next row group
	rows   int64
	groups []joined
}

// A joined is a row group with its position in the file.
type joined struct {
	*rowGroup
	offset, stored, rows int64
	index                []indexPlace // by column
}

// An indexPlace is the position of a column chunk's page index. If the column index
// is missing, its length is 0.
type indexPlace struct {
	columns, offsets             int64
	columnsLength, offsetsLength int32
}

// Describe implements [format.Joiner].
func (j *joiner) Describe(o format.Origin) { j.origin = o }

func (j *joiner) Begin(w io.Writer) error {
	clear(j.groups)
	j.w, j.offset, j.rows, j.groups = w, int64(len(magic)), 0, j.groups[:0]
	return j.write([]byte(magic))
}

func (j *joiner) Add(p format.Piece) error {
	group, ok := p.Detail.(*rowGroup)
	if !ok {
		return fmt.Errorf("parquet: a piece of another format, with detail %T", p.Detail)
	}
	if p.Rows == 0 {
		return nil
	}
	j.groups = append(j.groups, joined{rowGroup: group, offset: j.offset, stored: p.Stored, rows: p.Rows})
	j.offset += p.Stored
	j.rows += p.Rows
	return nil
}

func (j *joiner) End() error {
	var w structWriter
	j.appendIndex(&w)
	footer := len(w.b)
	j.appendFooter(&w)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(w.b)-footer))
	w.b = append(w.b, magic...)
	return j.write(w.b)
}

func (j *joiner) write(b []byte) error {
	n, err := j.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// appendIndex appends the page index: first all column indexes, then all offset
// indexes.
//
// Source: parquet-format, PageIndex.md.
func (j *joiner) appendIndex(w *structWriter) {
	for i := range j.groups {
		g := &j.groups[i]
		g.index = make([]indexPlace, len(g.chunks))
		for n := range g.chunks {
			if !g.chunks[n].indexed {
				continue
			}
			from := len(w.b)
			g.chunks[n].appendColumnIndex(w)
			g.index[n].columns, g.index[n].columnsLength = j.offset+int64(from), int32(len(w.b)-from)
		}
	}
	for i := range j.groups {
		g := &j.groups[i]
		for n := range g.chunks {
			from := len(w.b)
			g.chunks[n].appendOffsetIndex(w, g.offset)
			g.index[n].offsets, g.index[n].offsetsLength = j.offset+int64(from), int32(len(w.b)-from)
		}
	}
}

func (c *chunk) appendColumnIndex(w *structWriter) {
	w.begin()
	w.list(1, thriftTrue, len(c.pages))
	for i := range c.pages {
		if c.pages[i].empty {
			w.b = append(w.b, thriftTrue)
		} else {
			w.b = append(w.b, thriftFalse)
		}
	}
	w.list(2, thriftBinary, len(c.pages))
	for i := range c.pages {
		w.element(c.pages[i].min)
	}
	w.list(3, thriftBinary, len(c.pages))
	for i := range c.pages {
		w.element(c.pages[i].max)
	}
	order := int32(0)
	if c.ascending() {
		order = 1
	}
	w.i32(4, order)
	w.list(5, thriftI64, len(c.pages))
	for i := range c.pages {
		w.b = binary.AppendVarint(w.b, c.pages[i].nulls)
	}
	w.end()
}

// ascending reports whether the bounds of the pages ascend.
func (c *chunk) ascending() bool {
	var last *page
	for i := range c.pages {
		p := &c.pages[i]
		if p.empty {
			continue
		}
		if last != nil && (compare(c.kind, p.min, last.min) < 0 || compare(c.kind, p.max, last.max) < 0) {
			return false
		}
		last = p
	}
	return true
}

func (c *chunk) appendOffsetIndex(w *structWriter, base int64) {
	w.begin()
	w.list(1, thriftStruct, len(c.pages))
	for i := range c.pages {
		p := &c.pages[i]
		w.begin()
		w.i64(1, base+p.offset)
		w.i32(2, p.stored)
		w.i64(3, p.row)
		w.end()
	}
	w.end()
}
