// Package lake makes the objects that benchmarks run over: a data lake of log
// files, the kind of bucket that needs inventories because it is too large to
// list by hand. It is the same at every run, so that figures can be compared.
package lake

import (
	"encoding/binary"
	"iter"
	"strconv"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A tenant of the lake has perTenant objects: tables of days of hours of parts.
var tables = [...]string{"access", "billing", "clicks", "errors", "sensors"}

const (
	parts     = 40 // of an hour
	hours     = 24
	days      = 30
	perTenant = parts * hours * days * len(tables)

	// MaxObjects is how many objects the largest lake has.
	MaxObjects = 10_000 * perTenant // four digits of tenant
)

var start = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

// Objects yields the first n objects of the lake in ascending order of key,
// 0 <= n <= [MaxObjects]: keys of 67 and 68 bytes such as
//
//	lake/tenant-0003/access/dt=2026-03-05/07/part-00004-1f2e3d4c.log.gz
//
// sizes from 1 byte to 1 GiB, most small; four in five Standard, one in ten
// uploaded in parts, one in twenty tagged. Their MD5 and Tags are overwritten when
// the loop continues.
func Objects(n int) iter.Seq[object.Info] {
	return func(yield func(object.Info) bool) {
		var (
			info object.Info
			key  []byte
			sum  [16]byte
		)
		tags := []object.Tag{{Key: "team", Value: "ingest"}, {Key: "tier", Value: "raw"}}
		for i := range n {
			key = appendKey(key[:0], i)
			a, b := mix(uint64(i)), mix(uint64(i)+1<<40)
			info = object.Info{
				Key:          string(key),
				Size:         1 + int64(a)&(1<<(10+a>>58%21)-1),
				CRC64:        b,
				LastModified: written(i).Add(time.Duration(a>>20%3_600_000) * time.Millisecond),
			}
			binary.LittleEndian.PutUint64(sum[:8], a^b)
			binary.LittleEndian.PutUint64(sum[8:], mix(a))
			info.ETag.Sum = sum
			switch b % 20 {
			case 0, 1, 2:
				info.StorageClass = stocktake.IA
			case 3:
				info.StorageClass = stocktake.Archive
			}
			if b>>32%10 == 0 {
				info.Type, info.Parts = stocktake.Multipart, 2+int(a%99)
				info.ETag.Parts = uint32(info.Parts)
			} else {
				info.MD5 = sum[:]
			}
			if b>>40%20 == 0 {
				info.Tags = tags
			}
			if !yield(info) {
				return
			}
		}
	}
}

// Key returns the key of the i-th object of the lake, from 0.
func Key(i int) string { return string(appendKey(nil, i)) }

// appendKey appends the key of object i. The digits of i in a mixed radix are
// the parts of the key, so that keys ascend with i.
func appendKey(dst []byte, i int) []byte {
	dst = appendPadded(append(dst, "lake/tenant-"...), i/perTenant, 4)
	dst = append(append(dst, '/'), tables[i/(parts*hours*days)%len(tables)]...)
	dst = appendPadded(append(dst, "/dt=2026-03-"...), 1+i/(parts*hours)%days, 2)
	dst = appendPadded(append(dst, '/'), i/parts%hours, 2)
	dst = appendPadded(append(dst, "/part-"...), i%parts, 5)
	const digits = "0123456789abcdef"
	dst = append(dst, '-')
	for h, k := mix(uint64(i)+1<<50), 0; k < 8; h, k = h>>4, k+1 {
		dst = append(dst, digits[h&15])
	}
	return append(dst, ".log.gz"...)
}

// written returns the beginning of the hour that object i's key names.
func written(i int) time.Time {
	return start.Add(time.Duration(i/parts%(hours*days)) * time.Hour)
}

// appendPadded appends n in decimal, with zeros in front up to width.
func appendPadded(dst []byte, n, width int) []byte {
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], int64(n), 10)
	for range width - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// mix spreads the bits of x over all 64: what follows from neighbours looks
// unrelated.
//
// Source: the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
