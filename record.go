package stocktake

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// A Record is one object version as a row of a report.
//
// It is what a scan hands on, millions of times a second: the byte slices point
// into the buffers of whoever produced the record and hold only as long as that
// producer says (see engine.Snapshot).
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
	StorageClass   StorageClass
	Type           ObjectType
	ACL            ACL
	HasCRC64       bool
	IsLatest       bool
	IsDeleteMarker bool // then Size, StorageClass, ETag, ACL, Type and CRC64 mean nothing
	Multipart      bool // came from a multipart upload
	Encrypted      bool // stored encrypted by the server
}

// An ETag is an entity tag without its quotes, kept the way most of them are
// made, so that neither who reads an index nor who writes a report must handle
// 32 letters where 16 bytes say the same.
type ETag struct {
	// Text is the tag as it is, if it is not of the form below. When it is not
	// nil, Sum and Parts mean nothing.
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

// String is the text of AppendText.
func (e ETag) String() string { return string(e.AppendText(nil)) }

// ParseETag reads the text of an ETag, with or without its quotes.
func ParseETag(s string) ETag {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	sum, parts, dashed := strings.Cut(s, "-")
	var e ETag
	if len(sum) == 32 && sum == strings.ToUpper(sum) {
		if _, err := hex.Decode(e.Sum[:], []byte(sum)); err == nil {
			if !dashed {
				return e
			}
			if n, err := strconv.ParseUint(parts, 10, 32); err == nil && n > 0 && parts[0] != '0' && parts[0] != '+' {
				e.Parts = uint32(n)
				return e
			}
		}
	}
	return ETag{Text: []byte(s)}
}
