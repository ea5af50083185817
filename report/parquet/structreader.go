package parquet

import (
	"encoding/binary"
	"errors"
	"math"
)

// A structReader reads structs in the compact protocol of Apache Thrift from an
// untrusted source. It trusts no length and no type. After an error, which is kept,
// it returns zero values.
type structReader struct {
	b   []byte // the rest
	err error
}

var (
	errStruct    = errors.New("the metadata is malformed")
	errTruncated = errors.New("the metadata is truncated")
)

// maxDepth bounds the nesting of skipped structs.
const maxDepth = 32

func (r *structReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *structReader) byte() byte {
	if len(r.b) == 0 {
		r.fail(errTruncated)
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *structReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *structReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// fields calls f for each field of a struct. f reads the value, or calls skip.
func (r *structReader) fields(f func(id int16, typ byte)) {
	last := int64(0)
	for r.err == nil {
		head := r.byte()
		if r.err != nil || head == 0 {
			return
		}
		if delta := int64(head >> 4); delta != 0 {
			last += delta
		} else {
			last = r.varint()
		}
		if last < math.MinInt16 || last > math.MaxInt16 {
			r.fail(errStruct)
			return
		}
		f(int16(last), head&15)
	}
}

// integer reads an integer of any size.
func (r *structReader) integer(typ byte) int64 {
	switch typ {
	case thriftByte:
		return int64(int8(r.byte()))
	case thriftI16, thriftI32, thriftI64:
		return r.varint()
	}
	r.fail(errStruct)
	return 0
}

func (r *structReader) bool(typ byte) bool {
	if typ != thriftTrue && typ != thriftFalse {
		r.fail(errStruct)
	}
	return typ == thriftTrue
}

// binary reads bytes. The result points into the input.
func (r *structReader) binary(typ byte) []byte {
	if typ != thriftBinary {
		r.fail(errStruct)
		return nil
	}
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail(errTruncated)
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// structs calls f for each struct of a list.
func (r *structReader) structs(typ byte, f func()) {
	if typ != thriftList {
		r.fail(errStruct)
		return
	}
	n, elem := r.list()
	if elem != thriftStruct && n > 0 {
		r.fail(errStruct)
	}
	for ; n > 0 && r.err == nil; n-- {
		f()
	}
}

// elements calls f for each element of a list, with its type. A boolean takes a
// byte.
func (r *structReader) elements(typ byte, f func(elem byte)) {
	if typ != thriftList {
		r.fail(errStruct)
		return
	}
	for n, elem := r.list(); n > 0 && r.err == nil; n-- {
		f(elem)
	}
}

// list reads the head of a list. Each element takes at least a byte.
func (r *structReader) list() (n int, elem byte) {
	head := r.byte()
	size := uint64(head >> 4)
	if size == 15 {
		size = r.uvarint()
	}
	if size > uint64(len(r.b)) {
		r.fail(errTruncated)
		return 0, 0
	}
	return int(size), head & 15
}

// skip skips the value of a field.
func (r *structReader) skip(typ byte) { r.skipNested(typ, 0) }

func (r *structReader) skipNested(typ byte, depth int) {
	if depth > maxDepth {
		r.fail(errStruct)
		return
	}
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte, thriftI16, thriftI32, thriftI64:
		r.integer(typ)
	case thriftDouble:
		if len(r.b) < 8 {
			r.fail(errTruncated)
			return
		}
		r.b = r.b[8:]
	case thriftBinary:
		r.binary(typ)
	case thriftList, thriftSet:
		n, elem := r.list()
		for ; n > 0 && r.err == nil; n-- {
			r.skipElement(elem, depth)
		}
	case thriftMap:
		n := r.uvarint()
		if n == 0 || r.err != nil {
			return
		}
		types := r.byte()
		for ; n > 0 && r.err == nil; n-- {
			r.skipElement(types>>4, depth)
			r.skipElement(types&15, depth)
		}
	case thriftStruct:
		r.fields(func(_ int16, typ byte) { r.skipNested(typ, depth+1) })
	default:
		r.fail(errStruct)
	}
}

// skipElement skips an element of a list, where a boolean takes a byte.
func (r *structReader) skipElement(typ byte, depth int) {
	if typ == thriftTrue || typ == thriftFalse {
		r.byte()
		return
	}
	r.skipNested(typ, depth+1)
}
