package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/stocktake/stocktake"
)

// A Row is a row of a report, decoded. Everything in it holds until the next
// row is read; Clone makes a copy that stays.
type Row struct {
	Bucket []byte
	stocktake.Record
	Values [][]byte // the columns as they stand, without their quotes, in the order of the schema
}

// Clone returns a copy of the row that shares nothing with it.
func (r *Row) Clone() *Row {
	c := *r
	c.Bucket = bytes.Clone(r.Bucket)
	c.Key = bytes.Clone(r.Key)
	c.VersionID = bytes.Clone(r.VersionID)
	c.ETag.Text = bytes.Clone(r.ETag.Text)
	c.Values = make([][]byte, len(r.Values))
	for i, v := range r.Values {
		c.Values[i] = bytes.Clone(v)
	}
	return &c
}

// A RowError says which row of a shard cannot be read, and why.
type RowError struct {
	File   string // key of the shard
	Row    int64  // from 1
	Column string // empty: the row as a whole
	Value  string // of the column, at most 200 bytes of it
	Err    error
}

func (e *RowError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("%s: row %d: %v", e.File, e.Row, e.Err)
	}
	return fmt.Sprintf("%s: row %d: %s %q: %v", e.File, e.Row, e.Column, e.Value, e.Err)
}

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

var (
	errValue  = errors.New("not a value of this column")
	errEscape = errors.New("a '%' without two hexadecimal digits")
)

// ParseSchema reads the fileSchema of a manifest. A name that is not known
// gives 0: its values are passed over.
func ParseSchema(schema string) []stocktake.Field {
	var columns []stocktake.Field
	for _, name := range splitSchema(schema) {
		f, _ := stocktake.ParseColumn(name)
		columns = append(columns, f)
	}
	return columns
}

func splitSchema(schema string) []string {
	names := strings.Split(schema, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

// A decoder decodes rows of one schema. Numbers and booleans may be empty, which
// is 0 and false, and booleans in any case.
type decoder struct {
	columns []stocktake.Field
	row     Row
	key     []byte
}

// decode fills d.row, which has to hold until the next call only. With an error
// it tells the column.
func (d *decoder) decode(values [][]byte) (column int, err error) {
	d.row = Row{Values: values}
	if len(values) != len(d.columns) {
		return -1, fmt.Errorf("%d columns, the schema has %d", len(values), len(d.columns))
	}
	for i, v := range values {
		if err := d.value(d.columns[i], v); err != nil {
			return i, err
		}
	}
	return 0, nil
}

func (d *decoder) value(c stocktake.Field, v []byte) (err error) {
	r := &d.row
	switch c {
	case stocktake.FieldBucket:
		r.Bucket = v
	case stocktake.FieldKey:
		d.key, err = appendUnescaped(d.key[:0], v)
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
		r.ETag = parseETag(v)
	case stocktake.FieldStorageClass:
		var ok bool
		if r.StorageClass, ok = stocktake.ParseStorageClass(string(v)); !ok && len(v) > 0 {
			err = errValue
		}
	case stocktake.FieldIsMultipartUploaded:
		r.Multipart, err = parseBool(v)
	case stocktake.FieldEncryptionStatus:
		r.Encrypted, err = parseBool(v)
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
		r.Type, err = parseType(v)
	case stocktake.FieldCRC64:
		r.HasCRC64 = len(v) > 0
		if r.HasCRC64 {
			r.CRC64, err = parseUint(v)
		}
	case stocktake.FieldLastAccessDate:
		if string(v) != "null" {
			r.LastAccess, err = parseDate(v)
		}
	case stocktake.FieldLastAccessTimestamp:
		if string(v) != "null" {
			r.LastAccess, err = parseInt(v)
		}
	}
	return err
}
