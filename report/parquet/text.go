package parquet

import (
	"strconv"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

// AppendValues implements [format.Text]. The values are those of the last row, in
// the form of a CSV report.
func (r *reader) AppendValues(dst [][]byte) [][]byte {
	r.text = r.text[:0]
	ends := make([]int, len(r.cursors))
	for i := range r.cursors {
		r.text = r.appendValue(r.text, i)
		ends[i] = len(r.text)
	}
	from := 0
	for _, end := range ends {
		dst = append(dst, r.text[from:end:end])
		from = end
	}
	return dst
}

// appendValue appends the text of column i.
func (r *reader) appendValue(dst []byte, i int) []byte {
	c, f := r.cursors[i], r.columns[i]
	switch {
	case c == nil || c.null:
		if v := f.Column().Value; v == stocktake.AccessTime || v == stocktake.AccessSeconds {
			dst = append(dst, "null"...)
		}
		return dst
	case f == stocktake.FieldKey:
		return csvrow.AppendKey(dst, rawText(new([]byte), c.bytes))
	case specs[f].kind == times || f == 0 && (c.leaf.perSec != 0 || c.leaf.typ == typeInt96):
		t := min(max(c.seconds(), csvrow.MinTime), csvrow.MaxTime)
		return time.Unix(t, 0).UTC().AppendFormat(dst, "2006-01-02T15-04-05Z")
	case c.leaf.typ == typeByteArray:
		return appendRaw(dst, c.bytes)
	case c.leaf.typ == typeBoolean:
		return strconv.AppendBool(dst, c.number != 0)
	case f == stocktake.FieldCRC64 || c.leaf.unsigned:
		return strconv.AppendUint(dst, uint64(c.number), 10)
	}
	return strconv.AppendInt(dst, c.number, 10)
}
