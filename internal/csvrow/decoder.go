package csvrow

import (
	"errors"
	"fmt"
	"math"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

var (
	errValue  = errors.New("not a value of this column")
	errEscape = errors.New("a '%' without two hexadecimal digits")
)

// A Decoder decodes rows with the given columns. It skips columns that are 0. Empty
// numbers and booleans are 0 and false. Booleans may be in any case.
type Decoder struct {
	Columns []stocktake.Field
	Row     format.Row // the last decoded row, valid until the next call

	key []byte

	// State of the last call of DecodeQuoted.
	text             text
	head, bucket     []byte // the text before the second column, and its value
	day              dayMemo
	class, acl, kind memo
}

// Decode decodes the values of a row into d.Row. With an error it returns the index
// of the faulty column, or -1 if the row as a whole is wrong.
func (d *Decoder) Decode(values [][]byte) (column int, err error) {
	d.Row = format.Row{}
	d.Row.SetValues(values)
	if len(values) != len(d.Columns) {
		return -1, fmt.Errorf("%d columns, the schema has %d", len(values), len(d.Columns))
	}
	for i, v := range values {
		if err := d.value(d.Columns[i], v); err != nil {
			return i, err
		}
		if len(v) == 0 {
			d.Row.Missing |= missing(d.Columns[i])
		}
	}
	if d.Row.IsDeleteMarker {
		d.Row.Missing = 0
	}
	d.Row.Change.Permanent = d.Row.Change.RecordType == stocktake.RecordDelete && !d.Row.IsDeleteMarker
	return 0, nil
}

// missing returns the meaning of an empty column c of an object. An empty checksum
// is absent, not unknown.
func missing(c stocktake.Field) stocktake.Missing {
	return stocktake.MissingOf(c) &^ stocktake.MissingCRC64
}

func (d *Decoder) value(c stocktake.Field, v []byte) (err error) {
	r := &d.Row
	switch c {
	case stocktake.FieldBucket:
		r.Bucket = v
	case stocktake.FieldKey:
		d.key, err = AppendUnescaped(d.key[:0], v)
		r.Key = d.key
	case stocktake.FieldVersionID:
		r.VersionID = v
	case stocktake.FieldIsLatest:
		r.IsLatest, err = parseBool(v)
	case stocktake.FieldIsDeleteMarker:
		r.IsDeleteMarker, err = parseBool(v)
	case stocktake.FieldSize:
		r.Size, err = parseInt(v)
	case stocktake.FieldLastModifiedDate:
		r.LastModified, err = parseDate(v)
	case stocktake.FieldTransitionTime:
		r.TransitionTime, err = parseDate(v)
	case stocktake.FieldETag:
		r.ETag = stocktake.ParseETag(v)
	case stocktake.FieldStorageClass:
		var ok bool
		if r.StorageClass, ok = stocktake.StorageClassOf(v); !ok && len(v) > 0 {
			err = errValue
		}
	case stocktake.FieldIsMultipartUploaded:
		r.Multipart, err = parseBool(v)
	case stocktake.FieldEncryptionStatus:
		r.Encrypted, err = ParseEncryption(v)
	case stocktake.FieldObjectACL:
		var ok bool
		if r.ACL, ok = stocktake.ParseACL(string(v)); !ok && len(v) > 0 {
			err = errValue
		}
	case stocktake.FieldTaggingCount:
		var n int64
		if n, err = parseInt(v); n < 0 || n > math.MaxUint16 {
			err = errValue
		}
		r.TaggingCount = uint16(n)
	case stocktake.FieldObjectType:
		r.Type, err = ParseType(v)
	case stocktake.FieldCRC64:
		r.HasCRC64 = len(v) > 0
		if r.HasCRC64 {
			r.CRC64, err = ParseUint(v)
		}
	case stocktake.FieldLastAccessDate:
		if string(v) != "null" {
			r.LastAccess, err = parseDate(v)
		}
	case stocktake.FieldLastAccessTimestamp:
		if string(v) != "null" {
			r.LastAccess, err = parseInt(v)
		}
	default:
		err = d.change(c, v)
	}
	return err
}
