package csvgz_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/csvgz"
	"pgregory.net/rapid"
)

// The stream of any records, in any columns, cut into any batches, with codes
// changed at any time, is that of the plain encoder's rows.
func TestAnyRecords(t *testing.T) { rapid.Check(t, anyRecords) }

func FuzzAnyRecords(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyRecords)) }

func anyRecords(t *rapid.T) {
	columns := drawColumns(t)
	e, err := csvgz.New(benchBucket, columns)
	if err != nil {
		t.Fatal(err)
	}
	prefix := rapid.SampledFrom([]string{"", "data/2026/", "猫/%2F\x00\xff/"}).Draw(t, "prefix")
	segments := rapid.SliceOfN(rapid.StringMatching(`[a-z0-9%+é]{1,12}`), 1, 4).Draw(t, "segments")

	for range rapid.IntRange(1, 2).Draw(t, "files") {
		var out bytes.Buffer
		e.Reset(&out)
		var want []byte
		var rows, size int64
		for range rapid.IntRange(0, 6).Draw(t, "batches") {
			if rapid.IntRange(0, 3).Draw(t, "change") == 0 {
				e.ChangeCodes(drawCounts(t))
			}
			var batch []stocktake.Record
			for range rapid.IntRange(0, 40).Draw(t, "rows") {
				var last *stocktake.Record
				if len(batch) > 0 {
					last = &batch[len(batch)-1]
				}
				batch = append(batch, drawRecord(t, prefix, segments, last))
			}
			n, err := e.Encode(batch)
			if err != nil {
				t.Fatal(err)
			}
			text := plainCSV(benchBucket, columns, batch)
			if n != int64(len(text)) {
				t.Fatalf("Encode gave a size of %d, want %d", n, len(text))
			}
			want = append(want, text...)
			rows, size = rows+int64(len(batch)), size+n
			if e.Rows() != rows || e.UncompressedSize() != size {
				t.Fatalf("%d rows of %d bytes, want %d of %d", e.Rows(), e.UncompressedSize(), rows, size)
			}
			for i := range batch { // it keeps nothing of the batch
				clear(batch[i].Key)
				clear(batch[i].VersionID)
				clear(batch[i].ETag.Text)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		same(t, gunzip(t, out.Bytes()), want)
	}
}

func drawColumns(t *rapid.T) []stocktake.Field {
	var rest []stocktake.Field
	for f := stocktake.FieldVersionID; f <= stocktake.FieldLastAccessTimestamp; f++ {
		rest = append(rest, f)
	}
	rest = rapid.Permutation(rest).Draw(t, "order")
	n := rapid.IntRange(0, len(rest)).Draw(t, "columns")
	return append([]stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey}, rest[:n]...)
}

// drawCounts draws counts that make some codes very long and some short.
func drawCounts(t *rapid.T) (counts [csvgz.NumCounts]uint32) {
	seed := rapid.Uint32().Draw(t, "counts")
	steep := rapid.IntRange(1, 24).Draw(t, "steep")
	for i := range counts {
		seed = seed*1664525 + 1013904223
		counts[i] = 1 << (seed >> 16 % uint32(steep))
	}
	return counts
}

func drawRecord(t *rapid.T, prefix string, segments []string, last *stocktake.Record) stocktake.Record {
	r := stocktake.Record{
		Key:            drawKey(t, prefix, segments, last),
		IsLatest:       rapid.Bool().Draw(t, "latest"),
		IsDeleteMarker: rapid.IntRange(0, 5).Draw(t, "deleted") == 0,
		Encrypted:      rapid.Bool().Draw(t, "encrypted"),
		HasCRC64:       rapid.IntRange(0, 3).Draw(t, "crc") > 0,
		CRC64:          drawUint(t, "crc64"),
		Size:           int64(drawUint(t, "size")),
		LastModified:   drawTime(t, "modified", last),
		LastAccess:     drawTime(t, "access", nil),
		TransitionTime: drawTime(t, "transition", last),
		TaggingCount:   uint16(rapid.SampledFrom([]int{0, 0, 1, 10, 65535}).Draw(t, "tags")),
		StorageClass:   stocktake.StorageClass(rapid.SampledFrom([]int{0, 0, 1, 2, 3, 4, 5, 255}).Draw(t, "class")),
		Type:           stocktake.ObjectType(rapid.SampledFrom([]int{0, 0, 1, 2, 3, 4, 255}).Draw(t, "type")),
		ACL:            stocktake.ACL(rapid.SampledFrom([]int{0, 0, 1, 2, 3, 255}).Draw(t, "acl")),
		Multipart:      rapid.Bool().Draw(t, "multipart"),
	}
	switch rapid.IntRange(0, 4).Draw(t, "version") {
	case 0:
	case 1:
		r.VersionID = []byte("null")
	case 2:
		r.VersionID = []byte(rapid.StringMatching(`CAEQ[0-9A-Za-z_"-]{0,60}`).Draw(t, "id"))
	default:
		r.VersionID = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "id")
	}
	switch rapid.IntRange(0, 4).Draw(t, "tag") {
	case 0:
		r.ETag.Text = []byte{}
	case 1:
		r.ETag.Text = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "text")
	case 2:
		r.ETag.Text = []byte(rapid.StringMatching(`[0-9a-f]{32}(-[0-9]{1,3})?`).Draw(t, "text"))
	default:
		for i := range r.ETag.Sum {
			r.ETag.Sum[i] = byte(drawUint(t, "sum"))
		}
		r.ETag.Parts = uint32(rapid.SampledFrom([]int{0, 0, 1, 9999, math.MaxUint32}).Draw(t, "parts"))
	}
	return r
}

func drawKey(t *rapid.T, prefix string, segments []string, last *stocktake.Record) []byte {
	key := []byte(prefix)
	switch rapid.IntRange(0, 6).Draw(t, "key") {
	case 0, 1: // a path
		for range rapid.IntRange(1, 6).Draw(t, "depth") {
			key = append(key, rapid.SampledFrom(segments).Draw(t, "segment")...)
			key = append(key, rapid.SampledFrom([]string{"", "/", "//", "-1", "."}).Draw(t, "join")...)
		}
	case 2, 3: // much like the last
		if last != nil {
			key = bytes.Clone(last.Key)
			for range rapid.IntRange(0, 2).Draw(t, "edits") {
				i := rapid.IntRange(0, len(key)).Draw(t, "at")
				key = append(key[:i:i], append(rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "insert"),
					key[min(len(key), i+rapid.IntRange(0, 9).Draw(t, "delete")):]...)...)
			}
		}
	case 4: // as long as can be, or longer
		n := rapid.SampledFrom([]int{1023, 1024, 1025, 5000, 40000}).Draw(t, "length")
		key = bytes.Repeat([]byte{rapid.SampledFrom([]byte("a/\x00")).Draw(t, "fill")}, n)
		key[rapid.IntRange(0, n-1).Draw(t, "at")] = 'b'
	default:
		key = append(key, rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes")...)
	}
	return key
}

func drawUint(t *rapid.T, label string) uint64 {
	return rapid.Uint64().Draw(t, label) >> rapid.IntRange(0, 63).Draw(t, label)
}

func drawTime(t *rapid.T, label string, last *stocktake.Record) int64 {
	switch rapid.IntRange(0, 4).Draw(t, label) {
	case 0:
		return 0
	case 1:
		if last != nil {
			return last.LastModified + rapid.Int64Range(-1, 100000).Draw(t, label)
		}
	case 2:
		return rapid.Int64().Draw(t, label)
	}
	return rapid.Int64Range(-62167219201, 253402300801).Draw(t, label)
}
