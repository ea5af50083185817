package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The decoders below read one value at a time, so that their memory does not depend
// on the number of values that a page claims to have.

var errPage = errors.New("the values of a page are truncated")

// runs reads the hybrid of runs and bit-packed groups; see appendRuns.
type runs struct {
	b     []byte
	width int

	left   int    // values of the run or the groups
	packed bool   // they are groups
	value  uint32 // of the run
	acc    uint64 // bits of the groups that were read and not used
	have   int
}

func newRuns(b []byte, width int) runs { return runs{b: b, width: width} }

func (r *runs) next() (uint32, error) {
	if r.left == 0 {
		if err := r.head(); err != nil {
			return 0, err
		}
	}
	r.left--
	if !r.packed {
		return r.value, nil
	}
	for r.have < r.width {
		if len(r.b) == 0 {
			return 0, errPage
		}
		r.acc |= uint64(r.b[0]) << r.have
		r.b = r.b[1:]
		r.have += 8
	}
	v := uint32(r.acc & (1<<r.width - 1))
	r.acc >>= r.width
	r.have -= r.width
	return v, nil
}

func (r *runs) head() error {
	head, n := binary.Uvarint(r.b)
	if n <= 0 || head>>1 == 0 || head>>1 > 1<<31 {
		return errPage
	}
	r.b = r.b[n:]
	r.left, r.packed = int(head>>1), head&1 == 1
	if r.packed {
		r.left *= 8
		r.acc, r.have = 0, 0
		return nil
	}
	size := (r.width + 7) / 8
	if len(r.b) < size {
		return errPage
	}
	r.value = 0
	for i, c := range r.b[:size] {
		r.value |= uint32(c) << (8 * i)
	}
	r.b = r.b[size:]
	return nil
}

// A delta reads DELTA_BINARY_PACKED; see appendDelta.
type delta struct {
	b     []byte // after the current mini block
	block int    // values
	minis int    // in a block

	left   int64 // values, in all
	first  bool  // the next value is the first, last itself
	last   int64
	least  int64  // delta of the block
	widths []byte // of the mini blocks that have not begun
	packed []byte // the mini block
	width  int
	at     int // bits of packed that have been read
	mini   int // values of the mini block that have not been read
}

func newDelta(b []byte) (delta, error) {
	r := structReader{b: b}
	block, minis, left, first := r.uvarint(), r.uvarint(), r.uvarint(), r.varint()
	if r.err != nil {
		return delta{}, errPage
	}
	if block == 0 || block > 1<<16 || block%128 != 0 || minis == 0 || minis > 1<<9 || block%minis != 0 || block/minis%32 != 0 || left > 1<<31 {
		return delta{}, fmt.Errorf("deltas in blocks of %d with %d mini blocks cannot be read", block, minis)
	}
	return delta{b: r.b, block: int(block), minis: int(minis), left: int64(left), first: true, last: first}, nil
}

func (d *delta) next() (int64, error) {
	if d.left <= 0 {
		return 0, errPage
	}
	d.left--
	if d.first {
		d.first = false
		return d.last, nil
	}
	if d.mini == 0 {
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	d.mini--
	d.last += d.least + int64(bitsAt(d.packed, d.at, d.width))
	d.at += d.width
	return d.last, nil
}

// begin begins the next mini block.
func (d *delta) begin() error {
	if len(d.widths) == 0 {
		r := structReader{b: d.b}
		d.least = r.varint()
		if r.err != nil || len(r.b) < d.minis {
			return errPage
		}
		d.widths, d.b = r.b[:d.minis], r.b[d.minis:]
	}
	d.width = int(d.widths[0])
	d.widths = d.widths[1:]
	d.mini, d.at = d.block/d.minis, 0
	size := d.width * d.mini / 8
	if d.width > 64 || size > len(d.b) {
		return errPage
	}
	d.packed, d.b = d.b[:size], d.b[size:]
	return nil
}

// rest returns the bytes after the deltas, which are not read.
func (d delta) rest() ([]byte, error) {
	for left := d.left - 1; left > 0; left -= int64(d.block / d.minis) {
		if err := d.begin(); err != nil {
			return nil, err
		}
	}
	return d.b, nil
}

// bitsAt returns width bits of b from bit at on. b must have them.
func bitsAt(b []byte, at, width int) uint64 {
	i, shift := at/8, at%8
	if width <= 56 && i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:]) >> shift & (1<<width - 1)
	}
	v := uint64(0)
	for have := 0; have < width; {
		n := min(8-shift, width-have)
		v |= uint64(b[i]>>shift) & (1<<n - 1) << have
		have += n
		i, shift = i+1, 0
	}
	return v
}

// maxValue is the longest text of a column, in bytes.
const maxValue = 1 << 20

var errLong = fmt.Errorf("a value has more than %d bytes", maxValue)

// values reads the values of a page in one of the encodings.
type values struct {
	next func(v *value) error // set by open
	b    []byte
	typ  int64

	indices runs
	ints    delta
	shared  delta
	last    []byte // of DELTA_BYTE_ARRAY
	dict    *entries
	bit     int
}

// A value is a value that was read, according to the type of its column.
type value struct {
	null   bool
	number int64 // booleans are 0 and 1, timestamps of 96 bits milliseconds
	bytes  []byte
}

// open begins reading b, which has values of a type in an encoding.
func (v *values) open(b []byte, typ, encoding int64, dict *entries) (err error) {
	v.b, v.typ, v.bit, v.dict = b, typ, 0, dict
	unknown := fmt.Errorf("encoding %d of type %d cannot be read", encoding, typ)
	switch encoding {
	case encodingPlain:
		v.next = v.plain
		switch typ {
		case typeBoolean, typeInt32, typeInt64, typeInt96, typeByteArray:
			return nil
		}
		return unknown
	case encodingPlainDictionary, encodingRLEDictionary:
		if dict == nil || len(b) == 0 || b[0] > 32 {
			return errors.New("indices without a dictionary")
		}
		v.indices, v.next = newRuns(b[1:], int(b[0])), v.indexed
		return nil
	case encodingRLE:
		if typ != typeBoolean || len(b) < 4 || int64(binary.LittleEndian.Uint32(b)) > int64(len(b)-4) {
			return unknown
		}
		v.indices, v.next = newRuns(b[4:], 1), v.flag
		return nil
	case encodingDelta:
		if typ != typeInt32 && typ != typeInt64 {
			return unknown
		}
		v.next = v.integer
		v.ints, err = newDelta(b)
		return err
	case encodingDeltaLength, encodingDeltaByteArray:
		if typ != typeByteArray {
			return unknown
		}
		v.next = v.lengths
		if encoding == encodingDeltaByteArray {
			v.next, v.last = v.suffixes, v.last[:0]
			if v.shared, err = newDelta(b); err != nil {
				return err
			}
			if b, err = v.shared.rest(); err != nil {
				return err
			}
		}
		if v.ints, err = newDelta(b); err != nil {
			return err
		}
		v.b, err = v.ints.rest()
		return err
	}
	return unknown
}

func (v *values) plain(out *value) error {
	switch v.typ {
	case typeBoolean:
		if v.bit/8 >= len(v.b) {
			return errPage
		}
		out.number = int64(v.b[v.bit/8] >> (v.bit % 8) & 1)
		v.bit++
		return nil
	case typeByteArray:
		if len(v.b) < 4 {
			return errPage
		}
		n := binary.LittleEndian.Uint32(v.b)
		v.b = v.b[4:]
		return v.cut(out, int64(n))
	}
	size := fixedSize(v.typ)
	if len(v.b) < size {
		return errPage
	}
	out.number = fixedValue(v.typ, v.b)
	v.b = v.b[size:]
	return nil
}

// cut reads a value of n bytes.
func (v *values) cut(out *value, n int64) error {
	if n < 0 || n > int64(len(v.b)) {
		return errPage
	}
	if n > maxValue {
		return errLong
	}
	out.bytes, v.b = v.b[:n], v.b[n:]
	return nil
}

func (v *values) indexed(out *value) error {
	i, err := v.indices.next()
	if err != nil {
		return err
	}
	return v.dict.get(int(i), out)
}

func (v *values) flag(out *value) error {
	i, err := v.indices.next()
	out.number = int64(i)
	return err
}

func (v *values) integer(out *value) (err error) {
	out.number, err = v.ints.next()
	return err
}

func (v *values) lengths(out *value) error {
	n, err := v.ints.next()
	if err != nil {
		return err
	}
	return v.cut(out, n)
}

func (v *values) suffixes(out *value) error {
	shared, err := v.shared.next()
	if err != nil {
		return err
	}
	n, err := v.ints.next()
	if err != nil {
		return err
	}
	if shared < 0 || shared > int64(len(v.last)) {
		return errPage
	}
	if err := v.cut(out, n); err != nil {
		return err
	}
	if shared+n > maxValue {
		return errLong
	}
	v.last = append(v.last[:shared], out.bytes...)
	out.bytes = v.last
	return nil
}

// fixedSize returns the size of a plain value of a numeric type in bytes.
func fixedSize(typ int64) int {
	switch typ {
	case typeInt32:
		return 4
	case typeInt96:
		return 12
	}
	return 8
}

// fixedValue reads a plain value of a numeric type. A value of 96 bits is a
// timestamp: nanoseconds of a Julian day.
func fixedValue(typ int64, b []byte) int64 {
	switch typ {
	case typeInt32:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case typeInt96:
		const unixEpoch = 2440588
		nanos, day := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint32(b[8:]))
		return (day-unixEpoch)*86400_000 + nanos/1_000_000
	}
	return int64(binary.LittleEndian.Uint64(b))
}

// entries are the values of a dictionary.
type entries struct {
	b       []byte
	typ     int64
	offsets []uint32 // of byte arrays in b, each of which follows its length
	n       int
}

// open reads a dictionary of n plain values into e, reusing its memory.
func (e *entries) open(b []byte, typ, n int64) error {
	e.b, e.typ, e.offsets, e.n = b, typ, e.offsets[:0], int(n)
	switch typ {
	case typeInt32, typeInt64, typeInt96:
		if n < 0 || n > int64(len(b)/fixedSize(typ)) {
			return errPage
		}
		return nil
	case typeByteArray:
		if n < 0 || n > int64(len(b)/4) {
			return errPage
		}
		at := 0
		for range n {
			if len(b)-at < 4 {
				return errPage
			}
			size := binary.LittleEndian.Uint32(b[at:])
			if uint64(size) > uint64(len(b)-at-4) {
				return errPage
			}
			if size > maxValue {
				return errLong
			}
			e.offsets = append(e.offsets, uint32(at))
			at += 4 + int(size)
		}
		return nil
	}
	return fmt.Errorf("a dictionary of type %d cannot be read", typ)
}

func (e *entries) get(i int, out *value) error {
	if i >= e.n {
		return fmt.Errorf("index %d is outside a dictionary of %d values", i, e.n)
	}
	if e.typ == typeByteArray {
		b := e.b[e.offsets[i]:]
		out.bytes = b[4 : 4+binary.LittleEndian.Uint32(b)]
		return nil
	}
	size := fixedSize(e.typ)
	out.number = fixedValue(e.typ, e.b[i*size:])
	return nil
}
