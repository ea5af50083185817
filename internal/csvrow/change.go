package csvrow

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// NewChangeEncoder returns an Encoder for an incremental report of bucket, whose
// rows AppendChange appends. The columns are Bucket, Key, then any other columns of
// incremental reports, each once. Other columns are an error, as is a bucket name
// that a bare CSV column cannot hold.
//
// Source: spec inventory-report.md, section 5.4.
func NewChangeEncoder(bucket string, columns []stocktake.Field) (*Encoder, error) {
	if bucket == "" || len(bucket) > format.MaxBucket || strings.ContainsAny(bucket, "\",\r\n") {
		return nil, fmt.Errorf("bucket name %.300q cannot be a CSV column", bucket)
	}
	if err := stocktake.CheckIncrementalColumns(columns); err != nil {
		return nil, err
	}
	for _, c := range columns[2:] {
		if !encodes(c) && !encodesChange(c) {
			return nil, fmt.Errorf("column %s has no text in CSV", c)
		}
	}
	return newEncoder(bucket, columns), nil
}

// AppendChange appends the row of a change to dst and returns the result. It does
// not allocate if dst has the capacity.
func (e *Encoder) AppendChange(dst []byte, r *stocktake.ChangedRecord) []byte {
	n := len(dst)
	dst = slices.Grow(dst, e.fixed+3*len(r.Key)+2*(len(r.VersionID)+len(r.ETag.Text)+len(r.Requester)+len(r.RequestID)+len(r.SourceIP)))
	b := dst[:cap(dst)]
	i := n + copy(b[n:], e.head)
	i = putEscaped(b, i, r.Key)
	for _, c := range e.columns {
		binary.LittleEndian.PutUint32(b[i:], '"'|','<<8|'"'<<16)
		i = e.putChange(b, i+3, c, r)
	}
	b[i], b[i+1] = '"', '\n'
	return b[:i+2]
}

// encodesChange reports whether putChange knows column c besides those of putValue.
func encodesChange(c stocktake.Field) bool {
	switch c {
	case stocktake.FieldSequenceNumber, stocktake.FieldRecordType, stocktake.FieldRecordTimestamp,
		stocktake.FieldRequester, stocktake.FieldRequestID, stocktake.FieldSourceIP:
		return true
	}
	return false
}

// putChange writes the value of column c of r into b at i and returns the index
// after it. For a permanent deletion, only the version and the columns that
// identify the change have values.
func (e *Encoder) putChange(b []byte, i int, c stocktake.Field, r *stocktake.ChangedRecord) int {
	switch c {
	case stocktake.FieldVersionID:
		return putQuoted(b, i, r.VersionID)
	case stocktake.FieldSequenceNumber:
		return putPadded(b, i, r.Sequence)
	case stocktake.FieldRecordType:
		return i + copy(b[i:], r.RecordType.String())
	case stocktake.FieldRecordTimestamp:
		return e.date.putMillis(b, i, r.Time)
	}
	if r.Permanent {
		return i
	}
	switch c {
	case stocktake.FieldRequester:
		return putQuoted(b, i, r.Requester)
	case stocktake.FieldRequestID:
		return putQuoted(b, i, r.RequestID)
	case stocktake.FieldSourceIP:
		return putQuoted(b, i, r.SourceIP)
	}
	return e.putValue(b, i, c, &r.Record)
}

// putPadded writes v with stocktake.SequenceDigits digits.
func putPadded(b []byte, i int, v uint64) int {
	end := i + stocktake.SequenceDigits
	for p := end; p > i; v /= 100 {
		p -= 2
		binary.LittleEndian.PutUint16(b[p:], DecimalPairs[v%100])
	}
	return end
}

// putMillis writes t, in Unix milliseconds, as "2006-01-02 15:04:05.000".
func (c *dateCache) putMillis(b []byte, i int, t int64) int {
	sec, ms := t/1000, t%1000
	if ms < 0 {
		sec, ms = sec-1, ms+1000
	}
	if sec < MinTime {
		sec, ms = MinTime, 0
	}
	if sec > MaxTime {
		sec, ms = MaxTime, 999
	}
	c.put(b, i, sec)
	b = b[i : i+23]
	b[10], b[13], b[16], b[19] = ' ', ':', ':', '.'
	b[20] = Decimal[ms/100]
	binary.LittleEndian.PutUint16(b[21:], DecimalPairs[ms%100])
	return i + 23
}

// change decodes a column that only incremental reports have.
func (d *Decoder) change(c stocktake.Field, v []byte) (err error) {
	r := &d.Row.Change
	switch c {
	case stocktake.FieldSequenceNumber:
		r.Sequence, err = ParseUint(v)
	case stocktake.FieldRecordType:
		var ok bool
		if r.RecordType, ok = stocktake.ParseRecordType(v); !ok {
			err = errValue
		}
	case stocktake.FieldRecordTimestamp:
		r.Time, err = parseMillis(v)
	case stocktake.FieldRequester:
		r.Requester = v
	case stocktake.FieldRequestID:
		r.RequestID = v
	case stocktake.FieldSourceIP:
		r.SourceIP = v
	}
	return err
}

// parseMillis reads 2006-01-02 15:04:05.000.
func parseMillis(v []byte) (int64, error) {
	if len(v) != 23 || v[10] != ' ' || v[13] != ':' || v[16] != ':' || v[19] != '.' {
		return 0, errValue
	}
	var whole [20]byte
	copy(whole[:], v)
	whole[10], whole[19] = 'T', 'Z'
	sec, err := parseDate(whole[:])
	ms := number(v[20:])
	if err != nil || ms < 0 || sec > math.MaxInt64/int64(time.Second/time.Millisecond) {
		return 0, errValue
	}
	return sec*1000 + int64(ms), nil
}
