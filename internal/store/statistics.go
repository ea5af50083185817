package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A delta is a change of a bucket's statistics. It goes into the index in the
// batch of the change itself, as an operand that Pebble adds up, so that
// writers do not wait for each other to read and write one sum.
//
// On disk it is its fields that are not 0, each
//
//	field, 1 byte | difference, zigzag varint
type delta [numStats]int64

// The fields of a delta: objects by class, bytes by class, and
const (
	statObjects      = 0
	statBytes        = statObjects + stocktake.NumStorageClasses
	statMarkers      = statBytes + stocktake.NumStorageClasses
	statUploads      = statMarkers + 1
	statLastModified = statUploads + 1 // Unix milliseconds; the greater one wins
	numStats         = statLastModified + 1
)

var errStatistics = errors.New("malformed statistics in the index")

// String is for people.
func (d delta) String() string {
	var objects, bytes int64
	for i := range stocktake.NumStorageClasses {
		objects += d[statObjects+i]
		bytes += d[statBytes+i]
	}
	return fmt.Sprintf("%d objects of %d bytes, %d delete markers, %d uploads", objects, bytes, d[statMarkers], d[statUploads])
}

// count adds n times the version r.
func (d *delta) count(r *row, n int64) {
	if r.info.IsDeleteMarker {
		d[statMarkers] += n
		return
	}
	class := min(int(r.info.StorageClass), stocktake.NumStorageClasses-1)
	d[statObjects+class] += n
	d[statBytes+class] += n * r.info.Size
}

func (d *delta) add(e *delta) {
	for i := range statLastModified {
		d[i] += e[i]
	}
	d[statLastModified] = max(d[statLastModified], e[statLastModified])
}

func (d *delta) appendTo(dst []byte) []byte {
	for i, v := range d {
		if v != 0 {
			dst = binary.AppendVarint(append(dst, byte(i)), v)
		}
	}
	return dst
}

func parseDelta(b []byte) (d delta, err error) {
	for len(b) > 0 {
		field := b[0]
		v, n := binary.Varint(b[1:])
		if n <= 0 || field >= numStats {
			return delta{}, errStatistics
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
		d, err := parseDelta(value)
		return &deltaMerger{d}, err
	},
}

type deltaMerger struct{ sum delta }

func (m *deltaMerger) MergeNewer(value []byte) error {
	d, err := parseDelta(value)
	m.sum.add(&d)
	return err
}

func (m *deltaMerger) MergeOlder(value []byte) error { return m.MergeNewer(value) }

func (m *deltaMerger) Finish(bool) ([]byte, io.Closer, error) {
	return m.sum.appendTo(nil), nil, nil
}

// counters are a bucket's statistics in memory: the sum of all deltas in the
// index, so that reading them costs nothing.
type counters struct {
	mu  sync.Mutex
	sum delta
}

func (c *counters) add(d *delta) {
	c.mu.Lock()
	c.sum.add(d)
	c.mu.Unlock()
}

func (c *counters) load() delta {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum
}

func (d *delta) stat() object.BucketStat {
	var s object.BucketStat
	copy(s.Objects[:], d[statObjects:])
	copy(s.Bytes[:], d[statBytes:])
	s.DeleteMarkers, s.Uploads = d[statMarkers], d[statUploads]
	s.LastModified = fromMilli(d[statLastModified])
	return s
}

// versions is the number of rows that d counts, delete markers included.
func (d *delta) versions() int64 {
	n := d[statMarkers]
	for _, v := range d[statObjects:statBytes] {
		n += v
	}
	return n
}
