package parquet

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake"
)

// maxIndex bounds the page index that is read for a column chunk, in bytes.
const maxIndex = 1 << 20

// Seek implements [format.Seeker] with the page index: it skips row groups and
// pages whose greatest key comes before key. In a file without a page index it
// skips nothing.
func (r *reader) Seek(key []byte) (rows int64, err error) {
	if r.bad != nil {
		return 0, r.bad
	}
	keys := r.cursor(stocktake.FieldKey)
	// The index has keys in their stored form, in which escaped bytes come after all
	// bytes that are less than the first byte of an escape.
	if keys == nil || slices.ContainsFunc(key, func(b byte) bool { return b >= escape0 }) {
		return 0, nil
	}
	for r.group+1 < len(r.meta.groups) {
		g := &r.meta.groups[r.group+1]
		chunk := &g.chunks[keys.column]
		if g.rows > 0 {
			last, err := r.keyPages(chunk)
			if err != nil {
				r.bad = err
				return 0, err
			}
			page := 0
			for page < len(last) && last[page] != nil && bytes.Compare(last[page], key) < 0 {
				page++
			}
			if page == 0 {
				break
			}
			if page < len(last) {
				n, err := r.enter(g, keys, page)
				if err != nil {
					r.bad = err
					return 0, err
				}
				rows += n
				break
			}
		}
		r.group++
		r.n += g.rows
		rows += g.rows
	}
	return rows, nil
}

// cursor returns the cursor of a column, or nil if the column is not read.
func (r *reader) cursor(f stocktake.Field) *cursor {
	for i, c := range r.cursors {
		if c != nil && r.columns[i] == f {
			return c
		}
	}
	return nil
}

// keyPages returns the greatest value of each page of a chunk. A value is nil if it
// is unknown; the result is nil without an index.
func (r *reader) keyPages(chunk *storedChunk) (last [][]byte, err error) {
	b, err := r.indexPart(chunk.bounds)
	if b == nil || err != nil {
		return nil, err
	}
	s := &structReader{b: b}
	var empty []bool
	s.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			s.elements(typ, func(elem byte) {
				if elem != thriftTrue && elem != thriftFalse {
					s.fail(errStruct)
				}
				empty = append(empty, s.byte() == thriftTrue)
			})
		case 3:
			s.elements(typ, func(elem byte) { last = append(last, s.binary(elem)) })
		default:
			s.skip(typ)
		}
	})
	if s.err == nil && len(empty) != len(last) {
		s.err = errStruct
	}
	if s.err != nil {
		return nil, fmt.Errorf("%w: the index of its keys: %w", ErrNotParquet, s.err)
	}
	for i := range last {
		if empty[i] || len(last[i]) == 0 {
			last[i] = nil
		}
	}
	return last, nil
}

// A pagePlace is the beginning of a page.
type pagePlace struct {
	offset, row int64
}

// pages returns the places of the pages of a chunk.
func (r *reader) pages(chunk *storedChunk, rows int64) (places []pagePlace, err error) {
	b, err := r.indexPart(chunk.places)
	if err != nil {
		return nil, err
	}
	s := &structReader{b: b}
	s.fields(func(id int16, typ byte) {
		if id != 1 {
			s.skip(typ)
			return
		}
		s.structs(typ, func() {
			var p pagePlace
			s.fields(func(id int16, typ byte) {
				switch id {
				case 1:
					p.offset = s.integer(typ)
				case 3:
					p.row = s.integer(typ)
				default:
					s.skip(typ)
				}
			})
			before := pagePlace{chunk.start - 1, -1}
			if n := len(places); n > 0 {
				before = places[n-1]
			}
			if p.offset <= before.offset || p.offset >= chunk.start+chunk.size || p.row <= before.row || p.row >= rows || len(places) == 0 && p.row != 0 {
				s.fail(fmt.Errorf("the page index has a page at byte %d, row %d", p.offset, p.row))
			}
			places = append(places, p)
		})
	})
	if s.err == nil && len(places) == 0 {
		s.err = errStruct
	}
	if s.err != nil {
		return nil, fmt.Errorf("%w: the index of its pages: %w", ErrNotParquet, s.err)
	}
	return places, nil
}

// enter begins a row group at a page of keys and returns the number of rows before
// it.
func (r *reader) enter(g *storedGroup, keys *cursor, page int) (row int64, err error) {
	for _, c := range r.cursors {
		if c != nil && g.chunks[c.column].places.size == 0 {
			return 0, nil
		}
	}
	at, err := r.pages(&g.chunks[keys.column], g.rows)
	if err != nil {
		return 0, err
	}
	if page >= len(at) {
		return 0, fmt.Errorf("%w: the indexes of its keys and of its pages differ", ErrNotParquet)
	}
	row = at[page].row
	if err := r.nextGroup(); err != nil {
		return 0, err
	}
	for _, c := range r.cursors {
		if c == nil {
			continue
		}
		if at, err = r.pages(c.chunk, g.rows); err == nil {
			err = c.move(at, row)
		}
		if err != nil {
			return 0, fmt.Errorf("column %s: %w", c.leaf.name, err)
		}
	}
	r.left -= row
	r.n += row
	return row, nil
}

// move moves to a row of the row group, in the page that contains it.
func (c *cursor) move(at []pagePlace, row int64) error {
	if at[0].offset > c.at { // a dictionary comes first
		if err := c.nextPage(); err != nil {
			return err
		}
		if c.rows > 0 {
			return fmt.Errorf("%w: the index of its pages leaves out one", ErrNotParquet)
		}
	}
	n := 0
	for n+1 < len(at) && at[n+1].row <= row {
		n++
	}
	c.left = c.chunk.values - at[n].row
	c.at, c.ahead = at[n].offset, nil
	for range row - at[n].row {
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

// indexPart returns a part of the page index, or nil if the file has none.
func (r *reader) indexPart(p indexRange) ([]byte, error) {
	if p.size == 0 {
		return nil, nil
	}
	if p.size < 0 || p.size > maxIndex || p.start < 4 || p.start > r.source.file.Size()-p.size {
		return nil, fmt.Errorf("%w that can be read: a page index of %d bytes at byte %d", ErrNotParquet, p.size, p.start)
	}
	if from := p.start - r.meta.tailStart; from >= 0 && from+p.size <= int64(len(r.meta.tail)) {
		return r.meta.tail[from : from+p.size], nil
	}
	return readRange(r.source.ctx, r.source.file, p.start, p.size, nil)
}
