package csvgz

import "github.com/stocktake/stocktake"

// An op is one step of a row: the columns of few values before a column of many
// values, then that column. The columns of a report are compiled once into a list
// of ops.
type op struct {
	field stocktake.Field // a column of many values, or 0 at the end of a row
	group *group          // the columns of few values before it; nil if none
	pos   int64           // last position of the `","` before it, if group is nil

	column           // of a textual value
	null    int64    // last position of the null of a time
	z       int64    // last position of the Z at the end of a time
	date    [16]byte // of the last time
	datePos int64
}

// compile returns the ops for columns, which begin with Bucket and Key.
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

// encodes reports whether row has a case for column f.
func encodes(f stocktake.Field) bool {
	switch f {
	case stocktake.FieldVersionID, stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag,
		stocktake.FieldTransitionTime, stocktake.FieldCRC64, stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp:
		return true
	}
	_, few := attributeMask(f)
	return few
}

func (o *op) reset() {
	o.pos, o.null, o.z, o.datePos, o.date = noPosition, noPosition, noPosition, noPosition, [16]byte{}
	o.column.reset()
	if o.group != nil {
		o.group.reset()
	}
}

// row adds the row of r. The caller has made room for it.
func (c cursor) row(e *Encoder, r *stocktake.Record) cursor {
	start := e.base + int64(c.text)
	c = c.delta(e, &e.ops[0].column, e.head, r.Key)
	exists := !r.IsDeleteMarker
	for i := 1; i < len(e.ops); i++ {
		o := &e.ops[i]
		switch o.field {
		case stocktake.FieldVersionID:
			c = c.separator(e, o, r).delta(e, &o.column, "", r.VersionID)
		case stocktake.FieldSize:
			c = c.separator(e, o, r)
			if exists {
				c = c.number(e, r.Size)
			}
		case stocktake.FieldLastModifiedDate:
			c = c.time(e, o, r, r.LastModified)
		case stocktake.FieldETag:
			c = c.separator(e, o, r)
			if exists {
				c = c.etag(e, o, &r.ETag)
			}
		case stocktake.FieldTransitionTime:
			if exists && r.TransitionTime != 0 {
				c = c.time(e, o, r, r.TransitionTime)
			} else {
				c = c.separator(e, o, r)
			}
		case stocktake.FieldCRC64:
			c = c.separator(e, o, r)
			if exists && r.HasCRC64 {
				c = c.checksum(e, r.CRC64)
			}
		case stocktake.FieldLastAccessDate:
			if r.LastAccess != 0 {
				c = c.time(e, o, r, r.LastAccess)
			} else {
				c = c.separator(e, o, r).null(e, o)
			}
		case stocktake.FieldLastAccessTimestamp:
			c = c.separator(e, o, r)
			if r.LastAccess != 0 {
				c = c.number(e, r.LastAccess)
			} else {
				c = c.null(e, o)
			}
		default:
			if o.group != nil {
				c = c.separator(e, o, r)
			}
		}
	}
	end := start - 2 // of the previous row
	if start == 0 {
		end = noPosition
	}
	e.text.put16(c.text, '"'|'\n'<<8)
	e.lastRow = start
	return c.match(e, 2, e.since(c, end))
}

// separator adds the text before a column of many values.
func (c cursor) separator(e *Encoder, o *op, r *stocktake.Record) cursor {
	if o.group != nil {
		return c.group(e, o.group, r)
	}
	back := e.since(c, o.pos)
	o.pos = e.base + int64(c.text)
	e.text.put32(c.text, '"'|','<<8|'"'<<16)
	return c.match(e, 3, back)
}

// null adds "null".
func (c cursor) null(e *Encoder, o *op) cursor {
	back := e.since(c, o.null)
	o.null = e.base + int64(c.text)
	e.text.put32(c.text, 'n'|'u'<<8|'l'<<16|'l'<<24)
	return c.match(e, 4, back)
}
