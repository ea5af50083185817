package stocktake

import (
	"encoding/binary"
	"math"
	"strconv"
)

// A Record is one object version as a row of a report.
//
// A scan produces millions of records a second: the byte slices point into buffers of the producer,
// which defines how long they are valid (see engine.Snapshot).
type Record struct {
	Key       []byte
	VersionID []byte // empty: the bucket never had versioning; "null": the null version
	ETag      ETag

	Size           int64 // bytes
	LastModified   int64 // Unix seconds
	TransitionTime int64 // Unix seconds at which a lifecycle rule moved the object; 0: never
	LastAccess     int64 // Unix seconds; 0: access is not tracked
	CRC64          uint64

	TaggingCount   uint16
	Missing        Missing // values that the source does not know
	StorageClass   StorageClass
	Type           ObjectType
	ACL            ACL
	HasCRC64       bool
	IsLatest       bool
	IsDeleteMarker bool // then Size, StorageClass, ETag, ACL, Type and CRC64 have no meaning
	Multipart      bool // came from a multipart upload
	Encrypted      bool // stored encrypted by the server
}

// Missing is a set of values that a source does not know of an object: reports
// leave their columns empty. In the zero value all are known. The set of a delete
// marker has no meaning.
type Missing uint8

// The values that may be missing. A checksum may also be known to be absent: then
// HasCRC64 is false and MissingCRC64 is not set.
const (
	MissingEncryption Missing = 1 << iota
	MissingACL
	MissingTags
	MissingType
	MissingCRC64
)

// MissingOf returns the bit of the value that column f shows; 0 if every source has it.
func MissingOf(f Field) Missing {
	switch f {
	case FieldEncryptionStatus:
		return MissingEncryption
	case FieldObjectACL:
		return MissingACL
	case FieldTaggingCount:
		return MissingTags
	case FieldObjectType:
		return MissingType
	case FieldCRC64:
		return MissingCRC64
	}
	return 0
}

// An ETag is an entity tag without its quotes. Most tags are MD5 sums, so that
// form is kept in binary: reading an index and writing a report then handle 16
// bytes instead of 32 letters.
type ETag struct {
	// Text is the tag itself, if it does not have the form below. If it is not nil, Sum and Parts
	// have no meaning.
	Text []byte

	Sum   [16]byte // written as 32 upper-case hex digits
	Parts uint32   // 0: nothing follows; n: "-n" follows, as after a multipart upload
}

// AppendText appends the tag's text to dst.
func (e *ETag) AppendText(dst []byte) []byte {
	if e.Text != nil {
		return append(dst, e.Text...)
	}
	const digits = "0123456789ABCDEF"
	for _, b := range e.Sum {
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	if e.Parts != 0 {
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, uint64(e.Parts), 10)
	}
	return dst
}

// String returns the text that AppendText appends.
func (e ETag) String() string { return string(e.AppendText(nil)) }

// ParseETag reads the text of an ETag, with or without its quotes. It does not
// allocate: if the tag is kept as text, ETag.Text is a part of text.
func ParseETag(text []byte) ETag {
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	asText := ETag{Text: text[:len(text):len(text)]}
	if len(text) < 32 {
		return asText
	}
	var e ETag
	for i := 0; i < 32; i += 8 {
		sum, ok := upperHex(binary.LittleEndian.Uint64(text[i:]))
		if !ok {
			return asText
		}
		binary.LittleEndian.PutUint32(e.Sum[i/2:], sum)
	}
	if len(text) > 32 {
		n, ok := partCount(text[33:])
		if !ok || text[32] != '-' {
			return asText
		}
		e.Parts = n
	}
	return e
}

// upperHex returns the four bytes that eight digits, 0-9 or A-F, stand for. The
// first digit and the first byte are the lowest.
func upperHex(digits uint64) (v uint32, ok bool) {
	const ones = 0x0101010101010101
	letters := digits >> 6 & ones // of 0-9 and A-F, the letters have this bit
	x := digits&(0x0f*ones) + 9*letters
	// What x is written as, if digits are what they should be.
	above9 := (x + (127-9)*ones) >> 7 & ones
	if x+'0'*ones+('A'-'9'-1)*above9 != digits || x&(0xf0*ones) != 0 {
		return 0, false
	}
	x = (x<<4 | x>>8) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16), true
}

// partCount reads the number of parts the way AppendText writes it.
func partCount(text []byte) (uint32, bool) {
	if len(text) == 0 || len(text) > len("4294967295") || text[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= math.MaxUint32
}
