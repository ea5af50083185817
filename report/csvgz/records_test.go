package csvgz_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/csvgz"
	"pgregory.net/rapid"
)

// Whatever the records, the columns and the batches, and whenever the codes change, the
// stream contains the rows of the plain encoder.
func TestAnyRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anyRecords(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
	})
}

func FuzzAnyRecords(f *testing.F) {
	rnd := rand.NewChaCha8([32]byte{1})
	for n := range 100 {
		b := make([]byte, 64*n)
		rnd.Read(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		anyRecords(t, func(n int) int {
			var word [2]byte
			b = b[copy(word[:], b):]
			return int(binary.LittleEndian.Uint16(word[:])) % n
		})
	})
}

// The same with more rows than rapid can draw one by one: rows of a bucket in which any
// column may change, with codes that change at any time.
func TestManyRecords(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		w := workloads[seed%uint64(len(workloads))]
		recs := w.make(rnd, 3000)
		spoil := rnd.IntN(30) + 1
		for i := range recs {
			if r := &recs[i]; rnd.IntN(spoil) == 0 {
				r.IsDeleteMarker = rnd.IntN(2) == 0
				r.VersionID = fmt.Appendf(nil, "%x", rnd.Uint64()>>rnd.IntN(64))
				r.LastAccess = rnd.Int64N(1 << 31)
				r.TransitionTime = r.LastAccess * rnd.Int64N(2)
				r.HasCRC64, r.IsLatest = rnd.IntN(2) == 0, rnd.IntN(2) == 0
				r.CRC64, r.Size = r.CRC64>>rnd.IntN(64), r.Size<<rnd.IntN(30)
				r.Key = r.Key[:rnd.IntN(len(r.Key)+1)]
			}
		}
		columns := slices.Clone(allColumns)
		columns = append(columns, stocktake.FieldVersionID, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker,
			stocktake.FieldTransitionTime, stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp)
		rnd.Shuffle(len(columns)-2, func(i, j int) { columns[i+2], columns[j+2] = columns[j+2], columns[i+2] })
		columns = columns[:2+rnd.IntN(len(columns)-1)]

		e := newEncoder(t, columns)
		out, join := begin(t)
		e.Reset(out)
		for rest := recs; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(700))
			if _, err := e.Encode(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			if rnd.IntN(3) == 0 {
				var counts [csvgz.NumCounts]uint32
				for i := range counts {
					counts[i] = rnd.Uint32() >> rnd.IntN(32)
				}
				e.ChangeCodes(counts)
			}
		}
		end(t, join, e)
		t.Logf("seed %d, columns %v", seed, columns)
		same(t, gunzip(t, out.Bytes()), plainCSV(benchBucket, columns, recs))
	}
}

// A choice returns numbers from 0 to n-1.
type choice func(n int) int

func anyRecords(t failer, choose choice) {
	columns := choose.columns()
	e, err := csvgz.New(benchBucket, columns)
	if err != nil {
		t.Fatalf("columns %v: %v", columns, err)
	}
	for range 1 + choose(2) {
		out, join := begin(t)
		e.Reset(out)
		var want []byte
		var rows, size int64
		for range choose(6) {
			if choose(4) == 0 {
				e.ChangeCodes(choose.counts())
			}
			var batch []stocktake.Record
			for range choose(60) {
				var last stocktake.Record
				if len(batch) > 0 {
					last = batch[len(batch)-1]
				}
				batch = append(batch, choose.record(last))
			}
			n, err := e.Encode(batch)
			if err != nil {
				t.Fatalf("encode: %v", err)
			}
			text := plainCSV(benchBucket, columns, batch)
			if n != int64(len(text)) {
				t.Fatalf("Encode returned the size %d, want %d", n, len(text))
			}
			want = append(want, text...)
			rows, size = rows+int64(len(batch)), size+n
			for i := range batch { // the encoder must not keep the batch
				clear(batch[i].Key)
				clear(batch[i].VersionID)
				clear(batch[i].ETag.Text)
			}
		}
		p, err := e.Close()
		if err == nil {
			err = errors.Join(join.Add(p), join.End())
		}
		if err != nil {
			t.Fatalf("close: %v", err)
		}
		if p.Rows != rows || p.Size != size {
			t.Fatalf("%d rows of %d bytes, want %d of %d", p.Rows, p.Size, rows, size)
		}
		same(t, gunzip(t, out.Bytes()), want)
	}
}

func (choose choice) columns() []stocktake.Field {
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey}
	var rest []stocktake.Field
	for _, f := range stocktake.Fields()[2:] {
		if f.Column().Full != stocktake.Never {
			rest = append(rest, f)
		}
	}
	for range choose(len(rest) + 1) {
		i := choose(len(rest))
		columns = append(columns, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return columns
}

// counts returns counts that make some codes very long and some short.
func (choose choice) counts() (counts [csvgz.NumCounts]uint32) {
	seed, steep := uint32(choose(1<<16)), uint32(1+choose(24))
	for i := range counts {
		seed = seed*1664525 + 1013904223
		counts[i] = 1 << (seed >> 16 % steep)
	}
	return counts
}

func (choose choice) record(last stocktake.Record) stocktake.Record {
	r := stocktake.Record{
		Key:            choose.key(last.Key),
		VersionID:      choose.text("", "null", "CAEQNhiBgIDUj_aQ1BgiIGE4"),
		IsLatest:       choose(2) == 0,
		IsDeleteMarker: choose(6) == 0,
		Encrypted:      choose(2) == 0,
		HasCRC64:       choose(4) > 0,
		CRC64:          choose.number(),
		Size:           int64(choose.number()),
		LastModified:   choose.time(last.LastModified),
		LastAccess:     choose.time(0),
		TransitionTime: choose.time(last.LastModified),
		TaggingCount:   uint16(choose.of(0, 0, 1, 10, 65535)),
		StorageClass:   stocktake.StorageClass(choose.of(0, 0, 1, 2, 3, 4, 5, 255)),
		Type:           stocktake.ObjectType(choose.of(0, 0, 1, 2, 3, 4, 255)),
		ACL:            stocktake.ACL(choose.of(0, 0, 1, 2, 3, 255)),
		Multipart:      choose(2) == 0,
	}
	if choose(3) == 0 {
		r.ETag.Text = choose.text("", "d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e-12")
		return r
	}
	binary.LittleEndian.PutUint64(r.ETag.Sum[:], choose.number())
	binary.BigEndian.PutUint64(r.ETag.Sum[8:], choose.number())
	r.ETag.Parts = uint32(choose.of(0, 0, 1, 9999, 1<<31-1))
	return r
}

func (choose choice) of(values ...int64) int64 { return values[choose(len(values))] }

// text returns one of the usual texts, the same with a byte changed, or none of
// them.
func (choose choice) text(usual ...string) []byte {
	s := []byte(usual[choose(len(usual))])
	switch choose(4) {
	case 0:
		if len(s) > 0 {
			s[choose(len(s))] = byte(choose(256))
		}
	case 1:
		s = choose.bytes(40)
	}
	return s
}

// bytes returns at most n bytes.
func (choose choice) bytes(n int) []byte {
	alphabet := []string{"0123456789abcdef", "abc/", "%/\"\x00é", ""}[choose(4)]
	b := make([]byte, choose(n+1))
	for i := range b {
		if alphabet == "" {
			b[i] = byte(choose(256))
		} else {
			b[i] = alphabet[choose(len(alphabet))]
		}
	}
	return b
}

func (choose choice) key(last []byte) []byte {
	segments := []string{"data", "IMG_0100.jpg", "Family & friends", "猫", "%2Fa", "a", "part-00001-1f2e3d4c.log.gz", "/"}
	var key []byte
	switch choose(16) {
	case 0: // as long as can be, or longer
		key = bytes.Repeat([]byte{"a/\x00"[choose(3)]}, int(choose.of(1022, 1023, 1024, 1025, 5000)))
		key[choose(len(key))] = 'b'
	case 1, 2:
		key = choose.bytes(60)
	case 3, 4, 5, 6: // a path
		for range 1 + choose(6) {
			key = append(key, segments[choose(len(segments))]...)
			key = append(key, []string{"", "/", "//", "-1", "."}[choose(5)]...)
		}
	default: // much like the last
		key = bytes.Clone(last)
		for range choose(3) {
			i := choose(len(key) + 1)
			j := min(len(key), i+choose(10))
			key = slices.Replace(key, i, j, choose.bytes(10)...)
		}
	}
	return key
}

// number returns a number of any bit length.
func (choose choice) number() uint64 {
	n := uint64(choose(1<<16)) | uint64(choose(1<<16))<<16 | uint64(choose(1<<16))<<32 | uint64(choose(1<<16))<<48
	return n >> choose(64)
}

func (choose choice) time(last int64) int64 {
	switch choose(6) {
	case 0:
		return 0
	case 1, 2:
		return last + int64(choose(1<<16)) - 1
	case 3:
		return int64(choose.number())
	case 4: // the bounds of what a row can show, and the values just outside
		return choose.of(-62167219201, -62167219200, 253402300799, 253402300800)
	}
	return 1772668800 + int64(choose(400))*86400 + int64(choose(1<<16))
}
