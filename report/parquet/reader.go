package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/report/format"
)

// A reader reads shards, those of this package and those of S3 Inventory. It is a
// [format.Reader].
type reader struct {
	columns []stocktake.Field // of NewReader
	meta    *metadata
	cursors []*cursor // by column; nil: its values are skipped
	source  source
	bad     error // not nil: no more rows can be read

	group int   // number of the current row group
	left  int64 // rows left in it
	n     int64 // number of the last row, from 1

	row  format.Row
	raw  [3][]byte // of texts that are not UTF-8
	text []byte    // of AppendValues
}

func newReader(columns []stocktake.Field) *reader { return &reader{columns: columns, bad: errClosed} }

var errClosed = errors.New("parquet: no shard is open")

// Open implements [format.Reader]. The footer is read before Open returns.
func (r *reader) Open(ctx context.Context, f format.File, at format.Place) error {
	if err := r.Close(); err != nil {
		return err
	}
	meta, err := readMetadata(ctx, f)
	if err != nil {
		return err
	}
	r.meta = meta
	if r.cursors, err = r.match(meta.leaves); err != nil {
		return err
	}
	r.source.ctx, r.source.file, r.source.held = ctx, f, 0
	group := 0
	if at != (format.Place{}) {
		if group = meta.groupAt(at); group < 0 {
			return fmt.Errorf("parquet: no row group begins at byte %d, row %d", at.Offset, at.Row)
		}
	}
	r.bad, r.group, r.left, r.n = nil, group-1, 0, at.Row
	return nil
}

// groupAt returns the number of the row group that begins at a place, or -1.
func (m *metadata) groupAt(p format.Place) int {
	return slices.IndexFunc(m.groups, func(g storedGroup) bool { return g.start == p.Offset && g.row == p.Row })
}

// HasPlace implements [format.Indexed].
func (r *reader) HasPlace(p format.Place) bool { return r.meta != nil && r.meta.groupAt(p) >= 0 }

// match finds the columns of the report among those of the file. The file may have
// other columns, too.
func (r *reader) match(leaves []leaf) ([]*cursor, error) {
	cursors := make([]*cursor, len(r.columns))
	for i, f := range r.columns {
		n := i
		if f != 0 {
			for n = 0; n < len(leaves) && leaves[n].name != specs[f].name; n++ {
			}
		}
		if n >= len(leaves) {
			return nil, fmt.Errorf("%w as the manifest describes it: it has no column %s", ErrNotParquet, specs[f].name)
		}
		l := &leaves[n]
		if f == 0 && (!l.flat || fieldNamed[l.name] != 0 || !readable(l.typ)) {
			continue
		}
		if f != 0 && (!l.flat || !fits(f, l.typ)) {
			return nil, fmt.Errorf("%w as the manifest describes it: the values of column %s are of another type", ErrNotParquet, l.name)
		}
		cursors[i] = &cursor{source: &r.source, leaf: l, column: n}
	}
	return cursors, nil
}

// readable reports whether values of a type can be read.
func readable(typ int64) bool {
	return typ == typeBoolean || typ == typeInt32 || typ == typeInt64 || typ == typeInt96 || typ == typeByteArray
}

// fits reports whether column f can be read from values of a type.
func fits(f stocktake.Field, typ int64) bool {
	switch specs[f].kind {
	case counts:
		return typ == typeInt32 || typ == typeInt64
	case times:
		return typ == typeInt64 || typ == typeInt96
	case flags:
		// In S3's reports encryption_status is a word: SSE-S3, NOT-SSE.
		return typ == typeBoolean || typ == typeByteArray && f == stocktake.FieldEncryptionStatus
	}
	return typ == typeByteArray || typ == typeInt64 && f == stocktake.FieldCRC64
}

// nextGroup begins the next row group that has rows.
func (r *reader) nextGroup() error {
	for r.left == 0 {
		r.group++
		if r.group >= len(r.meta.groups) {
			return io.EOF
		}
		r.left = r.meta.groups[r.group].rows
	}
	g := &r.meta.groups[r.group]
	if err := r.source.begin(g); err != nil {
		return err
	}
	for _, c := range r.cursors {
		if c != nil {
			chunk := &g.chunks[c.column]
			if chunk.typ != c.leaf.typ {
				return fmt.Errorf("%w: column %s has values of type %d", ErrNotParquet, c.leaf.name, chunk.typ)
			}
			c.begin(chunk)
		}
	}
	return nil
}

// Next implements [format.Reader].
func (r *reader) Next() (*format.Row, error) {
	if r.bad != nil {
		return nil, r.bad
	}
	if r.left == 0 {
		if err := r.nextGroup(); err != nil {
			r.bad = err
			return nil, err
		}
	}
	for _, c := range r.cursors {
		if c == nil {
			continue
		}
		if err := c.advance(); err != nil {
			r.bad = fmt.Errorf("column %s: %w", c.leaf.name, err)
			return nil, r.bad
		}
	}
	r.left--
	r.n++
	r.row.Record, r.row.Bucket = stocktake.Record{}, nil
	r.row.SetText(r)
	for i, c := range r.cursors {
		if c == nil || c.null || r.columns[i] == 0 {
			r.absent(r.columns[i])
			if c != nil { // a missing checksum is absent, not unknown
				r.row.Missing |= stocktake.MissingOf(r.columns[i]) &^ stocktake.MissingCRC64
			}
			continue
		}
		if err := r.decode(r.columns[i], c); err != nil {
			e := &format.RowError{Row: r.n, Column: c.leaf.name, Err: err}
			text := r.appendValue(nil, i)
			e.Value = string(text[:min(len(text), 200)])
			return nil, e
		}
	}
	if r.row.IsDeleteMarker {
		r.row.Missing = 0
	}
	return &r.row, nil
}

var errValue = errors.New("not a value of this column")

// absent sets the value of a column that is missing in a row.
func (r *reader) absent(f stocktake.Field) {
	if f == stocktake.FieldETag {
		r.row.ETag = stocktake.ParseETag(nil)
	}
}

// decode sets the value of a column.
func (r *reader) decode(f stocktake.Field, c *cursor) (err error) {
	row := &r.row
	switch f {
	case stocktake.FieldBucket:
		row.Bucket = c.bytes
	case stocktake.FieldKey:
		row.Key = rawText(&r.raw[0], c.bytes)
	case stocktake.FieldVersionID:
		row.VersionID = rawText(&r.raw[1], c.bytes)
	case stocktake.FieldIsLatest:
		row.IsLatest = c.number != 0
	case stocktake.FieldIsDeleteMarker:
		row.IsDeleteMarker = c.number != 0
	case stocktake.FieldSize:
		row.Size = c.number
	case stocktake.FieldLastModifiedDate:
		row.LastModified = c.seconds()
	case stocktake.FieldTransitionTime:
		row.TransitionTime = c.seconds()
	case stocktake.FieldLastAccessDate:
		row.LastAccess = c.seconds()
	case stocktake.FieldLastAccessTimestamp:
		row.LastAccess = c.number
	case stocktake.FieldIsMultipartUploaded:
		row.Multipart = c.number != 0
	case stocktake.FieldEncryptionStatus:
		if row.Encrypted = c.number != 0; c.leaf.typ == typeByteArray {
			row.Encrypted, err = csvrow.ParseEncryption(c.bytes)
		}
	case stocktake.FieldTaggingCount:
		if c.number < 0 || c.number > 1<<16-1 {
			return errValue
		}
		row.TaggingCount = uint16(c.number)
	case stocktake.FieldETag:
		row.ETag = stocktake.ParseETag(c.bytes)
		if row.ETag.Text != nil {
			row.ETag.Text = rawText(&r.raw[2], row.ETag.Text)
		}
	case stocktake.FieldStorageClass:
		var ok bool
		if row.StorageClass, ok = stocktake.StorageClassOf(c.bytes); !ok {
			return errValue
		}
	case stocktake.FieldObjectACL:
		var ok bool
		if row.ACL, ok = stocktake.ParseACL(string(c.bytes)); !ok {
			return errValue
		}
	case stocktake.FieldObjectType:
		row.Type, err = csvrow.ParseType(c.bytes)
	case stocktake.FieldCRC64:
		row.HasCRC64, row.CRC64 = true, uint64(c.number)
		if c.leaf.typ == typeByteArray {
			row.CRC64, err = csvrow.ParseUint(c.bytes)
		}
	}
	return err
}

// rawText returns the original text of a STRING, before it was converted to UTF-8.
// It uses buf if the text differs.
func rawText(buf *[]byte, s []byte) []byte {
	if !hasEscape(s) {
		return s
	}
	*buf = appendRaw((*buf)[:0], s)
	return *buf
}

// seconds returns a timestamp in Unix seconds. A timestamp without a unit is in
// milliseconds, as in common declarations of S3's reports.
func (c *cursor) seconds() int64 {
	unit := c.leaf.perSec
	if unit == 0 || c.leaf.typ == typeInt96 {
		unit = 1000
	}
	t := c.number / unit
	if c.number%unit < 0 {
		t--
	}
	return t
}

// Close implements [format.Reader].
func (r *reader) Close() error {
	r.bad, r.meta, r.cursors = errClosed, nil, nil
	r.source.file, r.source.whole = nil, nil
	return nil
}
