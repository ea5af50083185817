package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A delta is a change of a bucket's statistics. It goes into the index in the batch of the change
// itself, as an operand that Pebble merges, so writers do not contend for one sum.
//
// Its encoding has the fields that are not 0, each as
//
//	field, 1 byte | difference, zigzag varint
type Delta [NumStats]int64

// The fields of a delta: objects by class, bytes by class, and
const (
	StatObjects      = 0
	StatBytes        = StatObjects + stocktake.NumStorageClasses
	StatMarkers      = StatBytes + stocktake.NumStorageClasses
	StatUploads      = StatMarkers + 1
	StatLastModified = StatUploads + 1 // Unix milliseconds; the greater one wins
	NumStats         = StatLastModified + 1
)

var errStatistics = errors.New("malformed statistics in the index")

// String is for people.
func (d Delta) String() string {
	var objects, bytes int64
	for i := range stocktake.NumStorageClasses {
		objects += d[StatObjects+i]
		bytes += d[StatBytes+i]
	}
	return fmt.Sprintf("%d objects of %d bytes, %d delete markers, %d uploads", objects, bytes, d[StatMarkers], d[StatUploads])
}

// Count adds n times the version r.
func (d *Delta) Count(r *Row, n int64) {
	if r.Info.IsDeleteMarker {
		d[StatMarkers] += n
		return
	}
	class := min(int(r.Info.StorageClass), stocktake.NumStorageClasses-1)
	d[StatObjects+class] += n
	d[StatBytes+class] += n * r.Info.Size
}

// Add adds e to d.
func (d *Delta) Add(e *Delta) {
	for i := range StatLastModified {
		d[i] += e[i]
	}
	d[StatLastModified] = max(d[StatLastModified], e[StatLastModified])
}

// AppendTo appends the encoding of d in the index.
func (d *Delta) AppendTo(dst []byte) []byte {
	for i, v := range d {
		if v != 0 {
			dst = binary.AppendVarint(append(dst, byte(i)), v)
		}
	}
	return dst
}

// ParseDelta reads what AppendTo appends.
func ParseDelta(b []byte) (d Delta, err error) {
	for len(b) > 0 {
		field := b[0]
		v, n := binary.Varint(b[1:])
		if n <= 0 || field >= NumStats {
			return Delta{}, errStatistics
		}
		d[field] = v
		b = b[1+n:]
	}
	return d, nil
}

// merger adds up deltas inside Pebble.
var merger = &pebble.Merger{
	Name: "stocktake.statistics.v1",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		d, err := ParseDelta(value)
		return &deltaMerger{d}, err
	},
}

type deltaMerger struct{ sum Delta }

func (m *deltaMerger) MergeNewer(value []byte) error {
	d, err := ParseDelta(value)
	m.sum.Add(&d)
	return err
}

func (m *deltaMerger) MergeOlder(value []byte) error { return m.MergeNewer(value) }

func (m *deltaMerger) Finish(bool) ([]byte, io.Closer, error) {
	return m.sum.AppendTo(nil), nil, nil
}

// Stat returns the statistics that d adds up to, if it is the sum of all deltas of a
// bucket.
func (d *Delta) Stat() object.BucketStat {
	var s object.BucketStat
	copy(s.Objects[:], d[StatObjects:])
	copy(s.Bytes[:], d[StatBytes:])
	s.DeleteMarkers, s.Uploads = d[StatMarkers], d[StatUploads]
	s.LastModified = FromMilli(d[StatLastModified])
	return s
}

// Versions returns the number of rows that d counts, delete markers included.
func (d *Delta) Versions() int64 {
	n := d[StatMarkers]
	for _, v := range d[StatObjects:StatBytes] {
		n += v
	}
	return n
}
