package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

// pageRows is the number of rows of a page. The pages of all columns have the same
// rows, so that a reader can skip rows in all columns.
const pageRows = 1 << 14

// A column holds the page that is being filled, and the finished pages of its row
// group.
type column struct {
	field stocktake.Field
	spec

	rows    int    // of the page
	nulls   int    // rows without a value
	defined []byte // 1 for each row with a value, 0 for each without; empty until the first null

	numbers []int64 // counts, times
	codes   []byte  // words: indices into the dictionary; flags: 0 or 1
	data    []byte  // text: all values; keys: the part that differs from the previous key
	lengths []int32 // of the values in data
	shared  []int32 // keys: bytes shared with the previous key
	order   keyOrder
	dict    dictionary
	bucket  []byte // the only word of column Bucket

	chunk chunk
	out   []byte // finished pages
}

// newColumn returns a column of reports of bucket.
func newColumn(f stocktake.Field, bucket []byte) *column {
	c := &column{field: f, spec: specs[f], bucket: bucket}
	c.defined = make([]byte, 0, pageRows)
	switch c.kind {
	case counts, times:
		c.numbers = make([]int64, 0, pageRows)
	case words, flags:
		c.codes = make([]byte, 0, pageRows)
	case text:
		c.lengths = make([]int32, 0, pageRows)
	case keys:
		c.lengths = make([]int32, 0, pageRows)
		c.shared = make([]int32, 0, pageRows)
	}
	return c
}

// reset begins a row group.
func (c *column) reset() {
	c.clear()
	c.order = keyOrder{last: c.order.last[:0], min: c.order.min[:0], max: c.order.max[:0]}
	c.dict.reset()
	c.chunk = chunk{kind: c.kind}
	c.out = c.out[:0]
}

// clear begins a page.
func (c *column) clear() {
	c.rows, c.nulls = 0, 0
	c.defined, c.numbers, c.codes = c.defined[:0], c.numbers[:0], c.codes[:0]
	c.data, c.lengths, c.shared = c.data[:0], c.lengths[:0], c.shared[:0]
	c.order.begin()
}

// null adds a row without a value. n is the number of rows before it in the page.
func (c *column) null(n int) {
	if c.nulls == 0 {
		c.defined = c.defined[:0]
		for range n {
			c.defined = append(c.defined, 1)
		}
	}
	c.nulls++
	c.defined = append(c.defined, 0)
}

// value records that a row has a value.
func (c *column) value() {
	if c.nulls > 0 {
		c.defined = append(c.defined, 1)
	}
}

// missing reports whether the source does not know the value of an object.
func (c *column) missing(r *stocktake.Record) bool {
	return r.Missing != 0 && r.Missing&stocktake.MissingOf(c.field) != 0 && !r.IsDeleteMarker
}

// add adds the values of a batch, which must fit into the page, and returns their
// size in bytes.
func (c *column) add(batch []stocktake.Record) (size int64) {
	switch c.kind {
	case keys:
		size = c.addKeys(batch)
	case text:
		size = c.addText(batch)
	case words:
		size = c.addWords(batch)
	case flags:
		size = c.addFlags(batch)
	case counts, times:
		size = c.addNumbers(batch)
	}
	c.rows += len(batch)
	return size
}

func (c *column) addText(batch []stocktake.Record) (size int64) {
	before := len(c.data)
	for i := range batch {
		r := &batch[i]
		from := len(c.data)
		switch c.field {
		case stocktake.FieldVersionID:
			if len(r.VersionID) == 0 {
				c.null(c.rows + i)
				continue
			}
			c.data = appendText(c.data, r.VersionID)
		case stocktake.FieldETag:
			if r.IsDeleteMarker {
				c.null(c.rows + i)
				continue
			}
			c.data = appendETag(c.data, &r.ETag)
		case stocktake.FieldCRC64:
			if r.IsDeleteMarker || !r.HasCRC64 {
				c.null(c.rows + i)
				continue
			}
			c.data = csvrow.AppendUint(c.data, r.CRC64)
		}
		c.value()
		c.lengths = append(c.lengths, int32(len(c.data)-from))
	}
	return int64(len(c.data)-before) + 4*int64(len(batch))
}

// appendETag appends the text of an ETag in the form of csvrow, a word at a time.
func appendETag(dst []byte, e *stocktake.ETag) []byte {
	if e.Text != nil {
		return appendText(dst, e.Text)
	}
	n := len(dst)
	dst = append(dst, make([]byte, 32)...)
	b := (*[32]byte)(dst[n:])
	for i, v := range e.Sum {
		binary.LittleEndian.PutUint16(b[2*i:], csvrow.HexPairs[v])
	}
	if e.Parts != 0 {
		dst = append(dst, '-')
		dst = csvrow.AppendUint(dst, uint64(e.Parts))
	}
	return dst
}

func (c *column) addFlags(batch []stocktake.Record) (size int64) {
	for i := range batch {
		r := &batch[i]
		v := false
		switch c.field {
		case stocktake.FieldIsLatest:
			v = r.IsLatest
		case stocktake.FieldIsDeleteMarker:
			v = r.IsDeleteMarker
		case stocktake.FieldIsMultipartUploaded:
			v = r.Multipart && !r.IsDeleteMarker
		case stocktake.FieldEncryptionStatus:
			if c.missing(r) {
				c.null(c.rows + i)
				continue
			}
			v = r.Encrypted && !r.IsDeleteMarker
		}
		c.value()
		code := byte(0)
		if v {
			code = 1
		}
		c.codes = append(c.codes, code)
	}
	return int64(len(batch))
}

func (c *column) addNumbers(batch []stocktake.Record) (size int64) {
	for i := range batch {
		r := &batch[i]
		v, ok := int64(0), true
		switch c.field {
		case stocktake.FieldSize:
			v, ok = r.Size, !r.IsDeleteMarker
		case stocktake.FieldLastModifiedDate:
			v = millis(r.LastModified)
		case stocktake.FieldTransitionTime:
			v, ok = millis(r.TransitionTime), r.TransitionTime != 0 && !r.IsDeleteMarker
		case stocktake.FieldTaggingCount:
			if ok = !c.missing(r); !r.IsDeleteMarker {
				v = int64(r.TaggingCount)
			}
		case stocktake.FieldLastAccessDate:
			v, ok = millis(r.LastAccess), r.LastAccess != 0
		case stocktake.FieldLastAccessTimestamp:
			v, ok = r.LastAccess, r.LastAccess != 0
		}
		if !ok {
			c.null(c.rows + i)
			continue
		}
		c.value()
		c.numbers = append(c.numbers, v)
	}
	return 8 * int64(len(batch))
}

// millis returns t, in Unix seconds, in milliseconds. A time that a date column
// cannot show becomes the nearest one that it can show.
func millis(t int64) int64 { return min(max(t, csvrow.MinTime), csvrow.MaxTime) * 1000 }

func (c *column) addWords(batch []stocktake.Record) (size int64) {
	if c.field == stocktake.FieldBucket {
		for range batch {
			c.codes = append(c.codes, c.dict.index(0))
		}
		return int64(len(batch))
	}
	for i := range batch {
		r := &batch[i]
		if r.IsDeleteMarker || c.missing(r) {
			c.null(c.rows + i)
			continue
		}
		word := uint8(0)
		switch c.field {
		case stocktake.FieldStorageClass:
			word = uint8(r.StorageClass)
		case stocktake.FieldObjectType:
			word = uint8(r.Type)
		case stocktake.FieldObjectACL:
			word = uint8(r.ACL)
		}
		c.value()
		c.codes = append(c.codes, c.dict.index(word))
	}
	return int64(len(batch))
}

// A dictionary numbers the words of a column in the order in which they occur.
type dictionary struct {
	number [256]uint16 // of a word, from 1; 0: not seen
	words  []uint8     // by number
}

func (d *dictionary) reset() { d.number, d.words = [256]uint16{}, d.words[:0] }

// index returns the number of a word, from 0.
func (d *dictionary) index(word uint8) uint8 {
	if d.number[word] == 0 {
		d.words = append(d.words, word)
		d.number[word] = uint16(len(d.words))
	}
	return uint8(d.number[word] - 1)
}

func (c *column) addKeys(batch []stocktake.Record) (size int64) {
	o := &c.order
	for i := range batch {
		key := batch[i].Key
		size += int64(len(key)) + 4
		if !isText(key) {
			o.escaped = appendText(o.escaped[:0], key)
			key = o.escaped
		}
		n := commonPrefix(o.last, key)
		o.add(key, n)
		from := n
		if len(c.shared) == 0 {
			from = 0 // a page is decoded on its own
		}
		c.shared = append(c.shared, int32(from))
		c.lengths = append(c.lengths, int32(len(key)-from))
		c.data = append(c.data, key[from:]...)
		o.last = append(o.last[:n], key[n:]...)
	}
	return size
}

// A keyOrder tracks the order of keys. While they ascend, the bounds are the first
// and the last key and need no comparison.
type keyOrder struct {
	last     []byte // key
	any      bool   // the row group has a key
	disorder bool   // the keys of the row group do not ascend

	// State of the page.
	begun    bool
	min, max []byte
	mixed    bool // the keys of the page do not ascend; only then max is maintained

	escaped []byte // scratch
}

func (o *keyOrder) begin() { o.begun, o.mixed = false, false }

// add records that key follows o.last. n is the length of their common prefix.
func (o *keyOrder) add(key []byte, n int) {
	descends := o.any && n < len(o.last) && (n == len(key) || key[n] < o.last[n])
	o.any = true
	if descends {
		o.disorder = true
	}
	switch {
	case !o.begun:
		o.begun = true
		o.min = append(o.min[:0], key...)
	case descends && !o.mixed:
		o.mixed = true
		o.max = append(o.max[:0], o.last...)
		fallthrough
	case o.mixed:
		if string(key) < string(o.min) {
			o.min = append(o.min[:0], key...)
		}
		if string(key) > string(o.max) {
			o.max = append(o.max[:0], key...)
		}
	}
}

// bounds returns the bounds of the page.
func (o *keyOrder) bounds() (least, greatest []byte) {
	if o.mixed {
		return o.min, o.max
	}
	return o.min, o.last
}

// commonPrefix returns the length of the common prefix of a and b.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
