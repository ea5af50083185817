package membucket

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/keygen"
)

// Uniform returns a source whose buckets all hold the same n objects, made up as
// they are scanned: logs of the tenants of a data lake, such as
//
//	lake/tenant-03/access/dt=2026-03-05/07/part-00004-1f2e3d4c.log.gz
//
// with random entity tags and checksums, sizes over six orders of magnitude,
// and classes and times that follow from the date. The n-th object is the same
// each time. n is at most 10^9.
func Uniform(n int64) engine.Source { return uniform(n) }

// UniformRecords are the objects of Uniform(n), to keep.
func UniformRecords(n int64) []stocktake.Record {
	s := newUniform(n)
	records := make([]stocktake.Record, n)
	for i := range records {
		records[i].Key = s.appendKey(nil, int64(i))
		s.fill(&records[i], int64(i))
	}
	return records
}

type uniform int64

// The digits of an object's number, from the right.
const (
	partsPerHour   = 32
	partsPerDay    = 24 * partsPerHour
	partsPerStream = 90 * partsPerDay
	partsPerTenant = numStreams * partsPerStream
	numStreams     = 4
)

var streams = [numStreams]string{"access", "billing", "events", "metrics"}

// uniformEpoch is 2026-01-01, the first day there are logs of.
const uniformEpoch = 1767225600

func (u uniform) Snapshot(ctx context.Context, _ string) (engine.Snapshot, error) {
	return newUniform(int64(u)), ctx.Err()
}

func newUniform(n int64) *uniformSnapshot {
	return &uniformSnapshot{n: n, width: max(2, len(fmt.Sprint(n/partsPerTenant)))}
}

type uniformSnapshot struct {
	n     int64
	width int // digits of a tenant's number
}

func (s *uniformSnapshot) Time() time.Time { return time.Unix(uniformEpoch+91*86400, 0) }

func (s *uniformSnapshot) Consistency() stocktake.Consistency { return stocktake.ConsistencySnapshot }
func (s *uniformSnapshot) Close() error                       { return nil }

// appendKey appends the key of object i.
func (s *uniformSnapshot) appendKey(dst []byte, i int64) []byte {
	dst = append(dst, "lake/tenant-"...)
	dst = keygen.AppendPadded(dst, i/partsPerTenant, s.width)
	dst = append(dst, '/')
	dst = append(dst, streams[i/partsPerStream%numStreams]...)
	dst = append(dst, "/dt=2026-"...)
	month, day := calendar(i / partsPerDay % 90)
	dst = keygen.AppendPadded(dst, month, 2)
	dst = append(dst, '-')
	dst = keygen.AppendPadded(dst, day, 2)
	dst = append(dst, '/')
	dst = keygen.AppendPadded(dst, i/partsPerHour%24, 2)
	dst = append(dst, "/part-"...)
	dst = keygen.AppendPadded(dst, i%partsPerHour, 5)
	dst = append(dst, '-')
	h := uint32(keygen.Mix(uint64(i)))
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[h>>shift&15])
	}
	return append(dst, ".log.gz"...)
}

// calendar is the month and the day of a day of the first quarter of 2026.
func calendar(day int64) (month, dayOfMonth int64) {
	switch {
	case day < 31:
		return 1, day + 1
	case day < 59:
		return 2, day - 30
	}
	return 3, day - 58
}

// fill makes r object i; its key is set already.
func (s *uniformSnapshot) fill(r *stocktake.Record, i int64) {
	a, b, c := keygen.Mix(uint64(i)<<2|1), keygen.Mix(uint64(i)<<2|2), keygen.Mix(uint64(i)<<2|3)
	binary.LittleEndian.PutUint64(r.ETag.Sum[:8], a)
	binary.LittleEndian.PutUint64(r.ETag.Sum[8:], b)
	r.CRC64, r.HasCRC64 = bits.RotateLeft64(a, 17)^c, true
	r.Size = int64(c>>44) << (c & 7 * 2) // up to 2^20, shifted by up to 14 bits
	day := i / partsPerDay % 90
	r.LastModified = uniformEpoch + day*86400 + i/partsPerHour%24*3600 + int64(b%3600)
	switch {
	case day < 30:
		r.StorageClass = stocktake.Archive
	case day < 60:
		r.StorageClass = stocktake.IA
	default:
		r.StorageClass = stocktake.Standard
	}
	r.IsLatest = true
	r.Type, r.Multipart, r.ETag.Parts = stocktake.Normal, false, 0
	if c>>58 == 0 { // one in 64
		r.Type, r.Multipart, r.ETag.Parts = stocktake.Multipart, true, 1+uint32(c>>8&63)
	}
}

// from is the number of the first object whose key is at least key.
func (s *uniformSnapshot) from(key string) int64 {
	var buf []byte
	return int64(sort.Search(int(s.n), func(i int) bool {
		buf = s.appendKey(buf[:0], int64(i))
		return string(buf) >= key
	}))
}

// within are the numbers of the objects of seg.
func (s *uniformSnapshot) within(seg engine.Segment) (from, to int64) {
	from, to = s.from(max(seg.Prefix, seg.From)), s.n
	if end := seg.Prefix + "\xff"; seg.Prefix != "" { // no key has a byte above 'z'
		to = s.from(end)
	}
	if seg.To != "" {
		to = min(to, s.from(seg.To))
	}
	return from, max(from, to)
}

func (s *uniformSnapshot) Count(_ context.Context, prefix string) (int64, error) {
	from, to := s.within(engine.Segment{Prefix: prefix})
	return to - from, nil
}

func (s *uniformSnapshot) Split(_ context.Context, prefix string, n int) ([]string, error) {
	var keys []string
	from, to := s.within(engine.Segment{Prefix: prefix})
	for i := int64(1); i < int64(n); i++ {
		at := from + i*(to-from)/int64(n)
		if key := string(s.appendKey(nil, at)); at > from && at < to && key > prefix && (len(keys) == 0 || key > keys[len(keys)-1]) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// uniformBatch is how many records a scan yields at once.
const uniformBatch = 512

func (s *uniformSnapshot) Scan(ctx context.Context, seg engine.Segment, _ bool, yield func([]stocktake.Record) error) error {
	if seg.After != "" { // there are no versions
		return fmt.Errorf("%w: %q %q", engine.ErrCursorGone, seg.From, seg.After)
	}
	batch := make([]stocktake.Record, uniformBatch)
	var keys []byte
	for i, to := s.within(seg); i < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(int(to-i), len(batch))
		keys = keys[:0]
		for k := range n {
			at := len(keys)
			keys = s.appendKey(keys, i+int64(k))
			batch[k].Key = keys[at:len(keys):len(keys)]
			s.fill(&batch[k], i+int64(k))
		}
		if err := yield(batch[:n]); err != nil {
			return err
		}
		i += int64(n)
	}
	return nil
}
