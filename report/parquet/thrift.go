package parquet

import "encoding/binary"

// A structWriter appends structs in the compact protocol of Apache Thrift, the
// encoding of Parquet's metadata.
//
// Source: github.com/apache/thrift, doc/specs/thrift-compact-protocol.md.
type structWriter struct {
	b    []byte
	last []int16 // the last field of each open struct
}

// The types of fields in the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

func (w *structWriter) begin() { w.last = append(w.last, 0) }

func (w *structWriter) end() {
	w.b = append(w.b, 0)
	w.last = w.last[:len(w.last)-1]
}

// field begins field id, which must be greater than the previous ids.
func (w *structWriter) field(id int16, typ byte) {
	last := &w.last[len(w.last)-1]
	if d := id - *last; d > 0 && d < 16 {
		w.b = append(w.b, byte(d)<<4|typ)
	} else {
		w.b = append(w.b, typ)
		w.b = binary.AppendVarint(w.b, int64(id))
	}
	*last = id
}

func (w *structWriter) i32(id int16, v int32) {
	w.field(id, thriftI32)
	w.b = binary.AppendVarint(w.b, int64(v))
}

func (w *structWriter) i64(id int16, v int64) {
	w.field(id, thriftI64)
	w.b = binary.AppendVarint(w.b, v)
}

func (w *structWriter) i16(id int16, v int16) {
	w.field(id, thriftI16)
	w.b = binary.AppendVarint(w.b, int64(v))
}

func (w *structWriter) bool(id int16, v bool) {
	if v {
		w.field(id, thriftTrue)
	} else {
		w.field(id, thriftFalse)
	}
}

func (w *structWriter) binary(id int16, v []byte) {
	w.field(id, thriftBinary)
	w.element(v)
}

func (w *structWriter) string(id int16, v string) {
	w.field(id, thriftBinary)
	w.b = binary.AppendUvarint(w.b, uint64(len(v)))
	w.b = append(w.b, v...)
}

// element appends a binary element of a list.
func (w *structWriter) element(v []byte) {
	w.b = binary.AppendUvarint(w.b, uint64(len(v)))
	w.b = append(w.b, v...)
}

// list begins a list of n elements of a type.
func (w *structWriter) list(id int16, typ byte, n int) {
	w.field(id, thriftList)
	if n < 15 {
		w.b = append(w.b, byte(n)<<4|typ)
	} else {
		w.b = append(w.b, 15<<4|typ)
		w.b = binary.AppendUvarint(w.b, uint64(n))
	}
}

// open begins a struct that is a field.
func (w *structWriter) open(id int16) {
	w.field(id, thriftStruct)
	w.begin()
}

// empty appends an empty struct that is a field.
func (w *structWriter) empty(id int16) {
	w.open(id)
	w.end()
}

// element32 appends an i32 element of a list.
func (w *structWriter) element32(v int32) { w.b = binary.AppendVarint(w.b, int64(v)) }
