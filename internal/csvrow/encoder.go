package csvrow

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// An Encoder encodes the rows of a full report, or of an incremental one if
// [NewChangeEncoder] returned it. Bucket and columns are fixed, so that a row needs
// no allocation and one decision per column. An Encoder is not safe for concurrent
// use.
//
// Source: OSS developer guide, bucket inventory; spec section 4.
type Encoder struct {
	head    []byte // bucket name, comma, quote: the beginning of every row
	columns []stocktake.Field
	fixed   int // a row has at most fixed + 3*len(Key) + 2*len(VersionID) + 2*len(ETag.Text) bytes
	date    dateCache
}

// maxValue is the longest value of any column of bounded length: an ETag of 32 digits, a dash and ten digits.
const maxValue = 43

// NewEncoder returns an Encoder for a report of bucket with the given columns:
// Bucket, Key, then any other columns of full reports, each once. Other columns are
// an error, as is a bucket name that a bare CSV column cannot hold.
func NewEncoder(bucket string, columns []stocktake.Field) (*Encoder, error) {
	if err := format.CheckColumns(bucket, columns); err != nil {
		return nil, err
	}
	if strings.ContainsAny(bucket, "\",\r\n") {
		return nil, fmt.Errorf("bucket name %q cannot be a CSV column", bucket)
	}
	for _, c := range columns[2:] {
		if !encodes(c) {
			return nil, fmt.Errorf("column %s has no text in CSV", c)
		}
	}
	return newEncoder(bucket, columns), nil
}

func newEncoder(bucket string, columns []stocktake.Field) *Encoder {
	e := &Encoder{
		head:    append([]byte(bucket), `,"`...),
		columns: slices.Clone(columns[2:]),
	}
	e.fixed = len(e.head) + len(columns)*(maxValue+len(`","`)) + len("\"\n") + slack
	e.date.reset()
	return e
}

// AppendRow appends the row of r to dst and returns the result. It does not
// allocate if dst has the capacity.
func (e *Encoder) AppendRow(dst []byte, r *stocktake.Record) []byte {
	n := len(dst)
	dst = slices.Grow(dst, e.fixed+3*len(r.Key)+2*len(r.VersionID)+2*len(r.ETag.Text))
	b := dst[:cap(dst)]
	i := n + copy(b[n:], e.head)
	i = putEscaped(b, i, r.Key)
	for _, c := range e.columns {
		binary.LittleEndian.PutUint32(b[i:], '"'|','<<8|'"'<<16)
		i = e.putValue(b, i+3, c, r)
	}
	b[i], b[i+1] = '"', '\n'
	return b[:i+2]
}

// encodes reports whether putValue knows column c.
func encodes(c stocktake.Field) bool {
	switch c {
	case stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker, stocktake.FieldLastModifiedDate,
		stocktake.FieldTransitionTime, stocktake.FieldTaggingCount, stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus,
		stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp, stocktake.FieldSize, stocktake.FieldETag,
		stocktake.FieldStorageClass, stocktake.FieldObjectACL, stocktake.FieldObjectType, stocktake.FieldCRC64:
		return true
	}
	return false
}

// putValue writes the value of column c of r into b at i and returns the index
// after it. Size, class, ETag, ACL, type and checksum of a delete marker are empty,
// as is every value that the source does not know.
func (e *Encoder) putValue(b []byte, i int, c stocktake.Field, r *stocktake.Record) int {
	switch c {
	case stocktake.FieldVersionID:
		return putQuoted(b, i, r.VersionID)
	case stocktake.FieldIsLatest:
		return putBool(b, i, r.IsLatest)
	case stocktake.FieldIsDeleteMarker:
		return putBool(b, i, r.IsDeleteMarker)
	case stocktake.FieldLastModifiedDate:
		return e.date.put(b, i, r.LastModified)
	case stocktake.FieldTransitionTime:
		if r.TransitionTime == 0 || r.IsDeleteMarker {
			return i
		}
		return e.date.put(b, i, r.TransitionTime)
	case stocktake.FieldTaggingCount:
		if r.IsDeleteMarker {
			return putUint(b, i, 0)
		}
		if r.Missing&stocktake.MissingTags != 0 {
			return i
		}
		return putUint(b, i, uint64(r.TaggingCount))
	case stocktake.FieldIsMultipartUploaded:
		return putBool(b, i, r.Multipart && !r.IsDeleteMarker)
	case stocktake.FieldEncryptionStatus:
		if r.Missing&stocktake.MissingEncryption != 0 && !r.IsDeleteMarker {
			return i
		}
		return putBool(b, i, r.Encrypted && !r.IsDeleteMarker)
	case stocktake.FieldLastAccessDate:
		if r.LastAccess == 0 {
			return i + copy(b[i:], "null")
		}
		return e.date.put(b, i, r.LastAccess)
	case stocktake.FieldLastAccessTimestamp:
		if r.LastAccess == 0 {
			return i + copy(b[i:], "null")
		}
		return putInt(b, i, r.LastAccess)
	}
	if r.IsDeleteMarker || r.Missing&stocktake.MissingOf(c) != 0 {
		return i
	}
	switch c {
	case stocktake.FieldSize:
		return putInt(b, i, r.Size)
	case stocktake.FieldETag:
		return putETag(b, i, &r.ETag)
	case stocktake.FieldStorageClass:
		return i + copy(b[i:], r.StorageClass.String())
	case stocktake.FieldObjectACL:
		return i + copy(b[i:], r.ACL.String())
	case stocktake.FieldObjectType:
		return i + copy(b[i:], r.Type.String())
	case stocktake.FieldCRC64:
		if r.HasCRC64 {
			return putUint(b, i, r.CRC64)
		}
	}
	return i
}
