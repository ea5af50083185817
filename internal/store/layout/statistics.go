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
