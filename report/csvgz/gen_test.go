package csvgz_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

// allColumns are the columns of a report of current versions with every
// optional field except those of access tracking.
var allColumns = []stocktake.Field{
	stocktake.FieldBucket, stocktake.FieldKey,
	stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
}

const benchBucket = "lake-production"

// A workload generates the records of a bucket; the same seed yields the same records.
type workload struct {
	name string
	make func(rnd *rand.Rand, n int) []stocktake.Record
}

var workloads = []workload{
	{"lake", lake},
	{"photos", photos},
	{"uuids", uuids},
	{"archive", archive},
	{"s3", s3},
	{"words", words},
	{"chinese", chinese},
}

// lake returns a data lake: partitions by tenant, table, day and hour.
func lake(rnd *rand.Rand, n int) []stocktake.Record {
	recs := make([]stocktake.Record, 0, n)
	perHour := max(1, n/(4*3*3*24))
	for i := range n {
		part := i % perHour
		slot := i / perHour
		hour, day := slot%24, slot/24
		key := fmt.Sprintf("lake/tenant-%02d/%s/dt=2026-03-%02d/%02d/part-%05d-%08x.log.gz",
			day/9, []string{"access", "audit", "billing"}[day/3%3], day%3+5, hour, part, rnd.Uint32())
		r := object(rnd, key)
		r.LastModified = 1772668800 + int64(day%3)*86400 + int64(hour)*3600 + rnd.Int64N(3600)
		recs = append(recs, r)
	}
	return recs
}

// photos returns a tree of users, albums and pictures, of any age.
func photos(rnd *rand.Rand, n int) []stocktake.Record {
	recs := make([]stocktake.Record, 0, n)
	for user := 0; len(recs) < n; user++ {
		for album := range 1 + rnd.IntN(5) {
			name := []string{"holiday", "Family & friends", "work", "猫", "misc"}[album]
			for img := range 1 + rnd.IntN(40) {
				recs = append(recs, object(rnd, fmt.Sprintf("users/%07d/%s/IMG_%04d.jpg", user*37, name, 100+img*3)))
			}
		}
	}
	return recs[:n]
}

// uuids returns names without order, and their thumbnails.
func uuids(rnd *rand.Rand, n int) []stocktake.Record {
	recs := make([]stocktake.Record, 0, n+1)
	for i := 0; len(recs) < n; i++ {
		id := fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(float64(i)/float64(n)*math.MaxUint32*2),
			rnd.IntN(1<<16), rnd.IntN(1<<12), rnd.IntN(1<<12), rnd.Int64N(1<<48))
		recs = append(recs, object(rnd, "blobs/"+id+"/original"), object(rnd, "blobs/"+id+"/thumbnail.webp"))
	}
	return recs[:n]
}

// archive returns objects whose classes and ages change from row to row.
func archive(rnd *rand.Rand, n int) []stocktake.Record {
	recs := lake(rnd, n)
	for i := range recs {
		r := &recs[i]
		r.LastModified -= rnd.Int64N(3 * 365 * 86400)
		r.StorageClass = stocktake.StorageClass(rnd.IntN(stocktake.NumStorageClasses))
		if r.StorageClass >= stocktake.ColdArchive {
			r.TransitionTime = r.LastModified + 90*86400
		}
		r.TaggingCount = uint16(rnd.IntN(4))
	}
	return recs
}

// s3 returns a bucket of another store: tags in lower case, no checksums.
func s3(rnd *rand.Rand, n int) []stocktake.Record {
	recs := lake(rnd, n)
	for i := range recs {
		r := &recs[i]
		r.ETag = stocktake.ETag{Text: fmt.Appendf(nil, "%x", r.ETag.Sum)}
		r.HasCRC64 = false
	}
	return recs
}

// words returns documents named by a few words.
func words(rnd *rand.Rand, n int) []stocktake.Record {
	list := strings.Fields("alpha beta report invoice summary final draft copy scan image " +
		"holiday project data backup old new test budget plan notes")
	pick := func() string { return list[rnd.IntN(len(list))] }
	return sorted(rnd, n, func(int) string {
		return fmt.Sprintf("docs/%s/%s-%s-%s_v%d.docx", pick(), pick(), pick(), pick(), rnd.IntN(9))
	})
}

// chinese returns names in which each character takes nine bytes in a row.
func chinese(rnd *rand.Rand, n int) []stocktake.Record {
	common := make([]rune, 600)
	for i := range common {
		common[i] = rune(0x4e00 + rnd.IntN(0x51a0))
	}
	name := func(n int) string {
		s := make([]rune, n)
		for i := range s {
			s[i] = common[int(rnd.ExpFloat64()*80)%len(common)]
		}
		return string(s)
	}
	return sorted(rnd, n, func(i int) string {
		return fmt.Sprintf("合同/2026年/%s/%s-%03d.pdf", name(3), name(6), i%1000)
	})
}

// sorted returns records with the keys that key returns.
func sorted(rnd *rand.Rand, n int, key func(i int) string) []stocktake.Record {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = key(i)
	}
	slices.Sort(keys)
	recs := make([]stocktake.Record, n)
	for i, key := range keys {
		recs[i] = object(rnd, key)
	}
	return recs
}

// object returns a record with columns that are similar in any bucket: a size of a log-normal
// distribution, a random tag and checksum, mixed classes.
func object(rnd *rand.Rand, key string) stocktake.Record {
	r := stocktake.Record{
		Key:          []byte(key),
		Size:         int64(math.Exp(rnd.NormFloat64()*2.2 + 11)),
		LastModified: 1740000000 + rnd.Int64N(365*86400),
		CRC64:        rnd.Uint64(),
		HasCRC64:     true,
		IsLatest:     true,
		Encrypted:    true,
	}
	binary.LittleEndian.PutUint64(r.ETag.Sum[:], rnd.Uint64())
	binary.LittleEndian.PutUint64(r.ETag.Sum[8:], rnd.Uint64())
	if rnd.IntN(10) == 0 {
		r.StorageClass = stocktake.StorageClass(1 + rnd.IntN(stocktake.NumStorageClasses-1))
	}
	if r.Size > 8<<20 {
		r.ETag.Parts = uint32(r.Size>>23) + 1
		r.Multipart, r.Type = true, stocktake.Multipart
	}
	if rnd.IntN(20) == 0 {
		r.TaggingCount = uint16(1 + rnd.IntN(3))
	}
	return r
}

// pack copies the bytes of recs into one buffer, as a scan does.
func pack(recs []stocktake.Record) []stocktake.Record {
	var arena []byte
	keep := func(b []byte) []byte {
		arena = append(arena, b...)
		return arena[len(arena)-len(b) : len(arena) : len(arena)]
	}
	n := 0
	for i := range recs {
		n += len(recs[i].Key) + len(recs[i].VersionID) + len(recs[i].ETag.Text)
	}
	arena = make([]byte, 0, n)
	for i := range recs {
		r := &recs[i]
		r.Key, r.VersionID = keep(r.Key), keep(r.VersionID)
		if r.ETag.Text != nil {
			r.ETag.Text = keep(r.ETag.Text)
		}
	}
	return recs
}

// plainCSV returns the expected content of the encoder's stream.
func plainCSV(bucket string, columns []stocktake.Field, recs []stocktake.Record) []byte {
	e, err := csvrow.NewEncoder(bucket, columns)
	if err != nil {
		panic(err)
	}
	var b []byte
	for i := range recs {
		b = e.AppendRow(b, &recs[i])
	}
	return b
}
