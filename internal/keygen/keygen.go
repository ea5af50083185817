// Package keygen makes up the objects of large buckets by formula: the i-th
// object in key order is computed when it is asked for, so a bucket of 10^9
// objects takes no memory. It serves tests and benches of scans.
package keygen

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"github.com/stocktake/stocktake"
)

// A Bucket has Rows records, ordered as in a report.
type Bucket struct {
	Shape    string
	Rows     int64
	Versions int64 // rows of each key; if more than 1, the bucket has versions

	key func(dst []byte, i int64) []byte // of the i-th key, ascending
}

// Shapes are the names that New accepts.
var Shapes = []string{"flat", "hashed", "dated", "nested", "skewed", "utf8", "deep"}

// New returns a bucket of about rows records, at most 10^12. The error says that
// there is no such shape.
//
//	flat    obj-000000042
//	hashed  16 hexadecimal digits, evenly spread
//	dated   logs/2024/05/17/14/part-000042.gz, more each day
//	nested  six folders deep, of names of different lengths
//	skewed  90 % of the keys under one prefix of 41
//	utf8    Chinese file names
//	deep    eight keys with very many versions each
func New(shape string, rows int64) (*Bucket, error) {
	b := &Bucket{Shape: shape, Rows: rows, Versions: 1}
	switch shape {
	case "flat":
		b.key = func(dst []byte, i int64) []byte { return AppendPadded(append(dst, "obj-"...), i, 9) }
	case "hashed":
		b.key = hashed(rows)
	case "dated":
		b.key = dated(rows)
	case "nested":
		b.key = nested(rows)
	case "skewed":
		b.key = skewed(rows)
	case "utf8":
		b.key = utf8Names(rows)
	case "deep":
		b.Versions = max(1, (rows+7)/8)
		b.key = func(dst []byte, i int64) []byte { return AppendPadded(append(dst, "big-"...), i, 2) }
	default:
		return nil, fmt.Errorf("no shape %q: there are %q", shape, Shapes)
	}
	return b, nil
}

// AppendKey appends the key of record i, from 0 to Rows-1.
func (b *Bucket) AppendKey(dst []byte, i int64) []byte { return b.key(dst, i/b.Versions) }

// Rank returns how many records have a key less than key.
func (b *Bucket) Rank(key string) int64 {
	keys := (b.Rows + b.Versions - 1) / b.Versions
	var buf []byte
	i := int64(sort.Search(int(keys), func(i int) bool {
		buf = b.key(buf[:0], int64(i))
		return string(buf) >= key
	}))
	return min(i*b.Versions, b.Rows)
}

// epoch is the time of the oldest object, 2024-01-01.
const epoch = 1704067200

// Fill makes r record i, reusing the memory of its key and its version.
func (b *Bucket) Fill(r *stocktake.Record, i int64) {
	a, c, d := Mix(uint64(i)<<2|1), Mix(uint64(i)<<2|2), Mix(uint64(i)<<2|3)
	*r = stocktake.Record{Key: b.AppendKey(r.Key[:0], i), VersionID: r.VersionID[:0], IsLatest: i%b.Versions == 0}
	binary.BigEndian.PutUint64(r.ETag.Sum[:8], a)
	binary.BigEndian.PutUint64(r.ETag.Sum[8:], c)
	r.Size = int64(d>>44) << (d & 7 * 2) // up to 2^20, shifted by up to 14 bits
	r.LastModified = epoch + int64(bits.RotateLeft64(d, 13)%(600*86400))
	if b.Versions > 1 {
		r.VersionID = fmt.Appendf(r.VersionID, "v%012d", b.Versions-i%b.Versions)
	}
}

func hashed(rows int64) func([]byte, int64) []byte {
	step := uint64(1)<<63/uint64(max(rows, 1))*2 - 1
	return func(dst []byte, i int64) []byte {
		n := uint64(i)*step + Mix(uint64(i))%step
		for shift := 60; shift >= 0; shift -= 4 {
			dst = append(dst, "0123456789abcdef"[n>>shift&15])
		}
		return dst
	}
}

func dated(rows int64) func([]byte, int64) []byte {
	const days = 600
	before := make([]int64, days+1) // rows before a day
	for d := range before {
		before[d] = int64(float64(rows) * float64(d) * float64(d+200) / (days * (days + 200)))
	}
	before[days] = rows
	return func(dst []byte, i int64) []byte {
		day := sort.Search(days, func(d int) bool { return before[d+1] > i })
		of, n := i-before[day], before[day+1]-before[day]
		hour := of * 24 / n
		month := int64(day % 360 / 30)
		dst = AppendPadded(append(dst, "logs/"...), 2024+int64(day/360), 4)
		dst = AppendPadded(append(dst, '/'), month+1, 2)
		dst = AppendPadded(append(dst, '/'), int64(day%30)+1, 2)
		dst = AppendPadded(append(dst, '/'), hour, 2)
		return append(AppendPadded(append(dst, "/part-"...), of, 8), ".gz"...)
	}
}

var folders = []string{"archive", "by-id", "customers", "d", "exports-2025", "media", "raw", "tmp"}

func nested(rows int64) func([]byte, int64) []byte {
	const levels = 6
	leaves := int64(1) << (3 * levels)
	each := (rows + leaves - 1) / leaves
	return func(dst []byte, i int64) []byte {
		leaf := i / max(each, 1)
		for l := levels - 1; l >= 0; l-- {
			dst = append(append(dst, folders[leaf>>(3*l)&7]...), '/')
		}
		return AppendPadded(append(dst, "file_"...), i%max(each, 1), 7)
	}
}

func skewed(rows int64) func([]byte, int64) []byte {
	small, big := rows/20, rows-2*(rows/20)
	of := func(dst []byte, letter byte, i, n int64) []byte {
		each := max((n+19)/20, 1)
		dst = append(dst, letter)
		return AppendPadded(append(AppendPadded(dst, i/each, 2), "/k"...), i%each, 8)
	}
	inside := hashed(big)
	return func(dst []byte, i int64) []byte {
		switch {
		case i < small:
			return of(dst, 'a', i, small)
		case i < small+big:
			return inside(append(dst, "main/data/"...), i-small)
		}
		return of(dst, 'z', i-small-big, small)
	}
}

func utf8Names(rows int64) func([]byte, int64) []byte {
	const base = 700
	digits := 1
	for n := int64(base); n < rows; n *= base {
		digits++
	}
	scale := int64(1)
	for range digits {
		scale *= base
	}
	return func(dst []byte, i int64) []byte {
		dst = append(dst, "照片/"...)
		n := int64(float64(i) / float64(max(rows, 1)) * float64(scale))
		at := len(dst)
		for range digits {
			dst = slices.Insert(dst, at, []byte(string(rune(0x4E00+n%base*29)))...)
			n /= base
		}
		return append(AppendPadded(append(dst, '-'), i, 10), ".jpg"...)
	}
}

// Mix returns a hash of x. It is a bijection.
//
// Source: S. Vigna, splitmix64.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// AppendPadded appends the last width digits of n, which is at least 0, with leading zeros.
func AppendPadded(dst []byte, n int64, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for p := len(dst) - 1; p >= at && n > 0; p-- {
		dst[p] = '0' + byte(n%10)
		n /= 10
	}
	return dst
}
