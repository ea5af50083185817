package parquet

// Stored returns keys in the form that files contain.
func Stored(keys [][]byte) (stored [][]byte) {
	for _, k := range keys {
		stored = append(stored, appendText(nil, k))
	}
	return stored
}

const MaxFooter = maxFooter

// A Meta is a footer that may claim anything: each row group has the rows, and each of
// its chunks has 50 bytes, beginning at an offset.
type Meta struct {
	Rows    int64
	Columns []MetaColumn
	Groups  int
	Offset  int64 // 0: 4
	Codec   int32
}

// A MetaColumn is a column of a Meta. Type 0 is BYTE_ARRAY.
type MetaColumn struct {
	Name string
	Type int32
}

func (c MetaColumn) number() int32 {
	if c.Type == 0 {
		return typeByteArray
	}
	return c.Type
}

// Append appends the footer.
func (m Meta) Append(dst []byte) []byte {
	w := structWriter{b: dst}
	w.begin()
	w.list(2, thriftStruct, 1+len(m.Columns))
	w.begin()
	w.string(4, "schema")
	w.i32(5, int32(len(m.Columns)))
	w.end()
	for _, c := range m.Columns {
		w.begin()
		w.i32(1, c.number())
		w.string(4, c.Name)
		w.end()
	}
	w.i64(3, m.Rows)
	w.list(4, thriftStruct, m.Groups)
	for range m.Groups {
		w.begin()
		w.list(1, thriftStruct, len(m.Columns))
		for _, c := range m.Columns {
			w.begin()
			w.open(3)
			w.i32(1, c.number())
			w.i32(4, m.Codec)
			w.i64(5, m.Rows)
			w.i64(7, 50)
			w.i64(9, max(4, m.Offset))
			w.end()
			w.end()
		}
		w.i64(3, m.Rows)
		w.end()
	}
	w.end()
	return w.b
}

// PageHeader returns 100 bytes that begin with the header of a data page of one
// value with these sizes, decompressed and stored.
func PageHeader(size, stored int32) []byte {
	var w structWriter
	w.begin()
	w.i32(1, pageData)
	w.i32(2, size)
	w.i32(3, stored-20)
	w.open(5)
	w.i32(1, 1)
	w.i32(2, encodingPlain)
	w.end()
	w.end()
	return append(w.b, make([]byte, 100-len(w.b))...)
}
