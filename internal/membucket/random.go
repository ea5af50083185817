package membucket

import (
	"cmp"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
)

// RandomKeys draws hostile keys, and short keys that share prefixes.
func RandomKeys() *rapid.Generator[string] {
	letters := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "/", "+", "%", " ", ",", "\"", "\n", "é", "猫", "｡", "😀", "~", "\x00"}), 1, 6)
	return rapid.OneOf(
		rapid.Map(letters, func(s []string) string { return strings.Join(s, "") }),
		rapid.SampledFrom(sourcetest.HostileKeys),
	)
}

// RandomRecord draws a record except for its key and its place among the versions. Fields that
// a delete marker lacks are zero.
func RandomRecord(t *rapid.T) (r stocktake.Record) {
	const year2100 = 4102444800
	r.LastModified = rapid.Int64Range(0, year2100).Draw(t, "modified")
	if rapid.IntRange(0, 5).Draw(t, "marker") == 0 {
		return stocktake.Record{LastModified: r.LastModified, IsDeleteMarker: true, ETag: stocktake.ETag{Text: []byte{}}}
	}
	r.Size = rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, stocktake.MaxObjectSize)).Draw(t, "size")
	r.StorageClass = configtest.StorageClass(t)
	if r.StorageClass >= stocktake.ColdArchive {
		r.TransitionTime = rapid.Int64Range(1, year2100).Draw(t, "transition")
	}
	r.LastAccess = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, year2100)).Draw(t, "access")
	r.Type = stocktake.ObjectType(rapid.IntRange(0, int(stocktake.Symlink)).Draw(t, "type"))
	r.ACL = stocktake.ACL(rapid.IntRange(0, int(stocktake.PublicReadWrite)).Draw(t, "acl"))
	r.TaggingCount = uint16(rapid.IntRange(0, 10).Draw(t, "tags"))
	r.Multipart = rapid.Bool().Draw(t, "multipart")
	r.Encrypted = rapid.Bool().Draw(t, "encrypted")
	if r.HasCRC64 = rapid.Bool().Draw(t, "hascrc"); r.HasCRC64 {
		r.CRC64 = rapid.Uint64().Draw(t, "crc")
	}
	switch rapid.IntRange(0, 9).Draw(t, "etag") {
	case 0:
		r.ETag.Text = []byte(rapid.SampledFrom([]string{"", "abc", "5b3c-x", `odd"tag`, strings.Repeat("0", 32) + "-0"}).Draw(t, "text"))
	case 1:
		r.ETag.Parts = uint32(rapid.IntRange(1, 10_000).Draw(t, "parts"))
		fallthrough
	default:
		copy(r.ETag.Sum[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "sum"))
	}
	return r
}

// RandomRecords draws the records of a bucket with up to most keys, in the order that
// [Bucket.Load] requires. With versions, some keys have several, including a null version.
func RandomRecords(t *rapid.T, most int, versions bool) (records []stocktake.Record) {
	keys := rapid.SliceOfNDistinct(RandomKeys(), 0, most, func(k string) string { return k }).Draw(t, "keys")
	slices.SortFunc(keys, cmp.Compare[string])
	for _, key := range keys {
		n := 1
		if versions {
			n = rapid.IntRange(1, 4).Draw(t, "versions")
		}
		null := rapid.IntRange(0, 3).Draw(t, "null")
		for i := range n {
			r := RandomRecord(t)
			r.Key, r.IsLatest = []byte(key), i == 0
			if versions {
				r.VersionID = []byte{'v', byte('9' - i)}
				if i == null {
					r.VersionID = []byte(NullVersion)
				}
			} else if r.IsDeleteMarker {
				r.IsDeleteMarker = false
			}
			records = append(records, r)
		}
	}
	return records
}
