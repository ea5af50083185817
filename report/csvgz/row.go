package csvgz

import (
	"encoding/binary"

	"github.com/stocktake/stocktake"
)

// An op is one step of a row: what stands between two columns of many values,
// then the second of them. The columns of a report are compiled into a list of
// ops once.
type op struct {
	field stocktake.Field // a column of many values, or 0 at the end of a row
	group *group          // the columns of few values before it; nil if none
	pos   int64           // where the `","` before it was last, if group is nil

	column           // of a textual value
	tail    int64    // where the Z or the null that ends the value was last
	date    [16]byte // of the last time
	datePos int64
}

// compile makes the ops of columns, which begin with Bucket and Key.
func compile(columns []stocktake.Field) []op {
	ops := []op{{field: stocktake.FieldKey}}
	var few []stocktake.Field
	add := func(f stocktake.Field) {
		o := op{field: f}
		if len(few) > 0 {
			o.group = newGroup(few, f != 0)
			few = nil
		}
		ops = append(ops, o)
	}
	for _, f := range columns[2:] {
		if _, ok := attributeMask(f); ok {
			few = append(few, f)
		} else {
			add(f)
		}
	}
	add(0)
	return ops
}

func (o *op) reset() {
	o.pos, o.tail, o.datePos, o.date = never, never, never, [16]byte{}
	o.column.reset()
	if o.group != nil {
		o.group.reset()
	}
}

// encode adds the row of r. There is room for it.
func (e *Encoder) encode(c cursor, r *stocktake.Record) cursor {
	start := e.base + int64(c.text)
	copy(e.text[c.text:], e.head)
	c = e.match(c, len(e.head), e.since(c, e.lastRow))
	c = e.delta(c, &e.ops[0].column, r.Key, keyTexts, &e.escape)
	attributes := attributesOf(r)
	for i := 1; i < len(e.ops); i++ {
		o := &e.ops[i]
		switch o.field {
		case stocktake.FieldLastModifiedDate:
			c = e.time(c, o, attributes, r.LastModified)
			continue
		case stocktake.FieldTransitionTime:
			if r.TransitionTime != 0 && !r.IsDeleteMarker {
				c = e.time(c, o, attributes, r.TransitionTime)
				continue
			}
		case stocktake.FieldLastAccessDate:
			if r.LastAccess != 0 {
				c = e.time(c, o, attributes, r.LastAccess)
				continue
			}
		case 0:
			if o.group == nil {
				continue
			}
		}
		c = e.between(c, o, attributes)
		switch o.field {
		case stocktake.FieldVersionID:
			c = e.delta(c, &o.column, r.VersionID, quotedTexts, &e.quote)
		case stocktake.FieldLastAccessDate:
			c = e.null(c, o)
		case stocktake.FieldLastAccessTimestamp:
			if r.LastAccess != 0 {
				c = e.number(c, r.LastAccess)
			} else {
				c = e.null(c, o)
			}
		}
		if r.IsDeleteMarker {
			continue
		}
		switch o.field {
		case stocktake.FieldSize:
			c = e.number(c, r.Size)
		case stocktake.FieldETag:
			if r.ETag.Text != nil {
				c = e.delta(c, &o.column, r.ETag.Text, quotedTexts, &e.quote)
			} else {
				c = e.sum128(c, &r.ETag)
			}
		case stocktake.FieldCRC64:
			if r.HasCRC64 {
				c = e.checksum(c, r.CRC64)
			}
		}
	}
	end := start - 2 // of the row before
	if start == 0 {
		end = never
	}
	binary.LittleEndian.PutUint16(e.text[c.text:], '"'|'\n'<<8)
	c = e.match(c, 2, e.since(c, end))
	e.lastRow = start
	return c
}

// between adds what stands between two columns of many values.
func (e *Encoder) between(c cursor, o *op, attributes uint64) cursor {
	if o.group != nil {
		return e.few(c, o.group, attributes)
	}
	return e.glue(c, o, e.since(c, o.pos))
}

// glue adds `","`, last seen distance bytes before.
func (e *Encoder) glue(c cursor, o *op, distance int) cursor {
	o.pos = e.base + int64(c.text)
	binary.LittleEndian.PutUint32(e.text[c.text:], '"'|','<<8|'"'<<16)
	return e.match(c, 3, distance)
}

// null adds "null".
func (e *Encoder) null(c cursor, o *op) cursor {
	d := e.since(c, o.tail)
	o.tail = e.base + int64(c.text)
	binary.LittleEndian.PutUint32(e.text[c.text:], 'n'|'u'<<8|'l'<<16|'l'<<24)
	return e.match(c, 4, d)
}
