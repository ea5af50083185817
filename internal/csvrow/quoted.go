package csvrow

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// maxQuotedKey is the longest encoded key that DecodeQuoted decodes. It exceeds the
// limits of OSS and S3.
const maxQuotedKey = 4 << 10

// A memo is a value of a column with few values: its text, with the quote after it,
// and its meaning.
type memo struct {
	text  []byte
	value uint8
}

// text returns the text of the values of the row that DecodeQuoted decoded last.
type text struct{ row []byte }

// AppendValues implements [format.Text].
func (t *text) AppendValues(dst [][]byte) [][]byte {
	row := t.row
	if row[0] != '"' {
		n := bytes.IndexByte(row, ',')
		dst, row = append(dst, row[:n]), row[n+1:]
	}
	for len(row) > 1 { // a quoted value, then a comma or the line end
		n := 1 + bytes.IndexByte(row[1:], '"')
		dst, row = append(dst, row[1:n]), row[n+2:]
	}
	return dst
}

// DecodeQuoted decodes the first row of b if it has the form that programs write:
// all values are quoted, except perhaps the first, and no value contains a quote.
// It returns the size of the row with its line end. It returns 0 if the row has
// another form, is incomplete in b, or is wrong; then use Cutter and Decode. Row is
// valid as long as b is.
func (d *Decoder) DecodeQuoted(b []byte) (size int) {
	if len(d.Columns) < 2 || len(b) < quotedSlack {
		return 0
	}
	d.Row = format.Row{}
	i := d.first(b)
	if i == 0 {
		return 0
	}
	last := len(d.Columns) - 1
	for c, f := range d.Columns[1:] {
		if i > len(b)-quotedSlack || b[i-1] != '"' {
			return 0
		}
		from := i
		if i = d.quoted(f, b, i); i == 0 {
			return 0
		}
		if i == from {
			d.Row.Missing |= missing(f)
		}
		// At the quote after the value.
		if c+1 == last {
			break
		}
		if b[i+1] != ',' {
			return 0
		}
		i += 3
	}
	if b[i+1] != '\n' {
		return 0
	}
	if d.Row.IsDeleteMarker {
		d.Row.Missing = 0
	}
	d.Row.Change.Permanent = d.Row.Change.RecordType == stocktake.RecordDelete && !d.Row.IsDeleteMarker
	d.text.row = b[: i+2 : i+2]
	d.Row.SetText(&d.text)
	return i + 2
}

// quotedSlack is how many bytes must follow the beginning of a value: more than is
// read without another check.
const quotedSlack = 64

// first decodes the first column and returns the index of the second value, or 0 if
// the row has another form.
func (d *Decoder) first(b []byte) int {
	n := len(d.head)
	if n == 0 || n > len(b)-quotedSlack || string(b[:n]) != string(d.head) {
		// The first row, or one of another bucket.
		value, end := b, 0
		if b[0] == '"' {
			end = 1 + bytes.IndexByte(b[1:], '"')
			if end == 0 || b[min(end+1, len(b)-1)] != ',' {
				return 0
			}
			value, end = b[1:end], end+1
		} else {
			if end = bytes.IndexByte(b, ','); end < 0 {
				return 0
			}
			value = b[:end]
			if bytes.IndexByte(value, '\n') >= 0 {
				return 0
			}
		}
		d.head = append(d.head[:0], b[:end+1]...)
		d.bucket = append(d.bucket[:0], value...)
		n = len(d.head)
	}
	switch d.Columns[0] {
	case stocktake.FieldBucket:
		d.Row.Bucket = d.bucket
	case 0:
	default:
		return 0
	}
	return n + 1
}

// quoted decodes the value of column f that begins at b[i] and returns the index of
// the quote after it, or 0 if the value has another form. The field that it sets
// must be 0 before the call.
func (d *Decoder) quoted(f stocktake.Field, b []byte, i int) int {
	r := &d.Row.Record
	switch f {
	case stocktake.FieldKey:
		return d.quotedKey(b, i)
	case stocktake.FieldSize:
		v, end := quotedUint(b, i)
		if v > math.MaxInt64 {
			return 0
		}
		if r.Size = int64(v); end > 0 {
			return end
		}
	case stocktake.FieldLastModifiedDate:
		if t, ok := d.day.quoted(b, i); ok {
			r.LastModified = t
			return i + dateLen
		}
	case stocktake.FieldTransitionTime:
		if t, ok := d.day.quoted(b, i); ok {
			r.TransitionTime = t
			return i + dateLen
		}
	case stocktake.FieldETag:
		if b[i+32] == '"' {
			r.ETag = stocktake.ParseETag(b[i : i+32])
			if r.ETag.Text == nil || bytes.IndexByte(r.ETag.Text, '"') < 0 {
				return i + 32
			}
			return 0
		}
	case stocktake.FieldStorageClass:
		if n := d.class.match(b, i); n > 0 {
			r.StorageClass = stocktake.StorageClass(d.class.value)
			return i + n
		}
		end := d.other(f, b, i)
		d.class.keep(b, i, end, uint8(r.StorageClass))
		return end
	case stocktake.FieldObjectACL:
		if n := d.acl.match(b, i); n > 0 {
			r.ACL = stocktake.ACL(d.acl.value)
			return i + n
		}
		end := d.other(f, b, i)
		d.acl.keep(b, i, end, uint8(r.ACL))
		return end
	case stocktake.FieldObjectType:
		if n := d.kind.match(b, i); n > 0 {
			r.Type = stocktake.ObjectType(d.kind.value)
			return i + n
		}
		end := d.other(f, b, i)
		d.kind.keep(b, i, end, uint8(r.Type))
		return end
	case stocktake.FieldIsLatest:
		if v, n := quotedBool(b, i); n > 0 {
			r.IsLatest = v
			return i + n
		}
	case stocktake.FieldIsDeleteMarker:
		if v, n := quotedBool(b, i); n > 0 {
			r.IsDeleteMarker = v
			return i + n
		}
	case stocktake.FieldIsMultipartUploaded:
		if v, n := quotedBool(b, i); n > 0 {
			r.Multipart = v
			return i + n
		}
	case stocktake.FieldEncryptionStatus:
		if v, n := quotedBool(b, i); n > 0 {
			r.Encrypted = v
			return i + n
		}
	case stocktake.FieldTaggingCount:
		v, end := quotedUint(b, i)
		if v > math.MaxUint16 {
			return 0
		}
		if r.TaggingCount = uint16(v); end > 0 {
			return end
		}
	case stocktake.FieldCRC64:
		v, end := quotedUint(b, i)
		if r.CRC64, r.HasCRC64 = v, end > i; end > 0 {
			return end
		}
	}
	return d.other(f, b, i)
}

// other decodes a value with the general decoder.
func (d *Decoder) other(f stocktake.Field, b []byte, i int) int {
	n := bytes.IndexByte(b[i:], '"')
	if n < 0 || i+n > len(b)-3 || d.value(f, b[i:i+n:i+n]) != nil {
		return 0
	}
	return i + n
}

func (m *memo) match(b []byte, i int) int {
	n := len(m.text)
	if n == 0 || string(b[i:i+n]) != string(m.text) {
		return 0
	}
	return n - 1
}

func (m *memo) keep(b []byte, i, end int, value uint8) {
	if end >= i && end-i < quotedSlack/2 {
		m.text, m.value = append(m.text[:0], b[i:end+1]...), value
	}
}

// quotedKey decodes a percent-encoded key, eight bytes at a time while none of them
// is less than '-'. The bytes that need encoding in a key, and the quote, are less.
func (d *Decoder) quotedKey(b []byte, i int) int {
	if d.key == nil {
		d.key = make([]byte, 0, maxQuotedKey+8)
	}
	key := d.key[:cap(d.key)]
	n := 0
	for i <= len(b)-quotedSlack && n <= len(key)-8 {
		x := load64(b, i)
		binary.LittleEndian.PutUint64(key[n:], x)
		low := less(x, '-')
		if low == 0 {
			i, n = i+8, n+8
			continue
		}
		step := bits.TrailingZeros64(low) / 8
		i, n = i+step, n+step
		c := b[i]
		switch c {
		case '"':
			d.Row.Key = key[:n]
			return i
		case '%':
			h, l := unhex[b[i+1]], unhex[b[i+2]]
			if h|l > 15 {
				return 0
			}
			c = h<<4 | l
			i += 2
		case '+':
			c = ' '
		}
		key[n] = c
		i, n = i+1, n+1
	}
	return 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// less returns a word whose lowest set bit is in the first byte of x that is less
// than c, or 0 if there is none. c is at most 128.
func less(x uint64, c byte) uint64 { return (x - ones*uint64(c)) &^ x & highs }

func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8 : i+8]) }

// quotedBool reads a boolean in the form that we write and returns its length, or 0
// for another form.
func quotedBool(b []byte, i int) (v bool, n int) {
	const (
		yes = 't' | 'r'<<8 | 'u'<<16 | 'e'<<24 | '"'<<32
		no  = 'f' | 'a'<<8 | 'l'<<16 | 's'<<24 | 'e'<<32 | '"'<<40
	)
	x := load64(b, i)
	switch {
	case x&(1<<40-1) == yes:
		return true, 4
	case x&(1<<48-1) == no:
		return false, 5
	}
	return false, 0
}

// quotedUint reads a decimal number of up to 20 digits, or an empty value. It
// returns the index of the quote after it, or 0 for other text.
func quotedUint(b []byte, i int) (v uint64, end int) {
	for range 3 {
		x := load64(b, i)
		n := bits.TrailingZeros64(less(x, '0')) / 8 // digits before the first byte below '0'; 8: all
		if n == 0 {
			break
		}
		x = (x ^ ones*'0') << ((64 - 8*n) & 63)
		if (x+ones*(127-9)|x)&highs != 0 {
			return 0, 0
		}
		// Add neighbours: digits, then pairs, then fours.
		x = x*10 + x>>8
		x = (x&0x000000ff000000ff*(100+1000000<<32) + x>>16&0x000000ff000000ff*(1+10000<<32)) >> 32
		high, low := bits.Mul64(v, powers[n])
		low, carry := bits.Add64(low, x, 0)
		if high|carry != 0 {
			return 0, 0
		}
		v, i = low, i+n
		if n < 8 {
			break
		}
	}
	if b[i] != '"' {
		return 0, 0
	}
	return v, i
}

// dateLen is the length of a time in a row.
const dateLen = len("2006-01-02T15-04-05Z")

// A dayMemo caches the day of the last time: its text with the T after it, and its
// beginning in Unix seconds.
type dayMemo struct {
	first, last uint64 // the first eight bytes of the text, and the last eight
	start       int64
}

// quoted reads a time in the form that we write.
func (m *dayMemo) quoted(b []byte, i int) (t int64, ok bool) {
	first, last, clock := load64(b, i), load64(b, i+3), load64(b, i+11)^0x30302d30302d3030 // 00-00-00
	if b[i+19] != 'Z' || b[i+20] != '"' || clock&0x0000ff0000ff0000 != 0 || (clock+ones*(127-9)|clock)&highs != 0 {
		return 0, false
	}
	clock = clock*10 + clock>>8
	hour, minute, sec := clock&255, clock>>24&255, clock>>48&255
	if hour > 23 || minute > 59 || sec > 59 {
		return 0, false
	}
	seconds := int64(hour*3600 + minute*60 + sec)
	if first != m.first || last != m.last || first == 0 {
		t, err := parseDate(b[i : i+dateLen])
		if err != nil {
			return 0, false
		}
		*m = dayMemo{first, last, t - seconds}
	}
	return m.start + seconds, true
}
