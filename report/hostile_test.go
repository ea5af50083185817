package report_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// allocated returns how many bytes f allocates, including freed ones.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// A shard of some kilobytes with a billion rows, or with one endless row, is detected after few
// of them, in bounded memory.
func TestVerifyStopsAtBombs(t *testing.T) {
	row := "photos,\"zzz\",\"1\",\"Standard\",\"2026-01-05T16-00-00Z\",\"\",\"false\",\"false\",\"default\",\"0\",\"Normal\",\"\"\n"
	for _, tt := range []struct {
		name, head, again string
		want              report.Check
	}{
		{"rows without end", "", row, report.CheckRows},
		{"a row without end", `photos,"`, strings.Repeat("z", 100), report.CheckRow},
		{"columns without end", "photos", `,"z"`, report.CheckRow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst := membucket.New(nil, "reports").Bucket("reports")
			rep := write(t, dst, report.Limits{}, tenColumns, membucket.UniformRecords(100))
			b := &bombBucket{Bucket: dst, key: rep.Manifest.Files[0].Key, head: tt.head, again: tt.again}
			var v *report.Verification
			took := allocated(func() {
				var err error
				if v, err = report.Verify(t.Context(), b, rep.Key, report.VerifyOptions{}); err != nil {
					t.Fatal(err)
				}
			})
			if !slices.ContainsFunc(v.Findings, func(f report.Finding) bool { return f.Check == tt.want && f.File == b.key }) {
				t.Errorf("found %v, want %s", v.Findings, tt.want)
			}
			if n := b.unpacked.Load(); took > 256<<20 || n > 256<<20 {
				t.Errorf("%d bytes were allocated, %d unpacked", took, n)
			}
		})
	}
}

// bombBucket has a shard that decompresses to endless text.
type bombBucket struct {
	report.Bucket
	key, head, again string
	unpacked         atomic.Int64
}

func (b *bombBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if key != b.key {
		return b.Bucket.Open(ctx, key)
	}
	r, w := io.Pipe()
	go func() {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level exists
		_, err := io.WriteString(z, b.head)
		text := []byte(strings.Repeat(b.again, 1+100_000/len(b.again)))
		for err == nil {
			b.unpacked.Add(int64(len(text)))
			_, err = z.Write(text)
		}
		w.CloseWithError(err)
	}()
	return r, nil
}

func (b *bombBucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key == b.key {
		return nil, fmt.Errorf("%s: %w", key, io.ErrUnexpectedEOF)
	}
	return b.Bucket.OpenRange(ctx, key, offset, length)
}

// A manifest whose columns differ from those of the rows is detected, with the file and the
// row.
func TestVerifyFindsAnotherSchema(t *testing.T) {
	for name, edit := range map[string]func(string) string{
		"a column less":       func(s string) string { return strings.TrimSuffix(s, ", CRC64") },
		"a column more":       func(s string) string { return s + ", LastAccessDate" },
		"columns in disorder": func(s string) string { return strings.Replace(s, "Size, StorageClass", "StorageClass, Size", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			dst := membucket.New(nil, "reports").Bucket("reports")
			rep := write(t, dst, report.Limits{Rows: 40}, tenColumns, membucket.UniformRecords(100))
			rep.Manifest.FileSchema = edit(rep.Manifest.FileSchema)
			raw := rep.Manifest.AppendJSON(nil)
			dst.Write(rep.Key, raw)
			dst.Write(directory+report.ChecksumName, []byte(report.Checksum(raw)))
			f := verify(t, dst).Findings
			if len(f) == 0 || f[0].Check != report.CheckRow || f[0].Row != 1 || f[0].Count != 40 || f[0].File != rep.Manifest.Files[0].Key {
				t.Errorf("found %v", f)
			}
		})
	}
}

// The memory of verifying a report of ten thousand shards does not grow with their number.
func TestVerifyManyShards(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand shards")
	}
	const shards = 10_000
	dst := membucket.New(nil, "reports").Bucket("reports")
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate}
	var records []stocktake.Record
	for i := range shards {
		records = append(records, stocktake.Record{Key: fmt.Appendf(nil, "%03d/%05d", i/20, i), Size: int64(i), LastModified: start})
	}
	rep := write(t, dst, report.Limits{Rows: 1}, columns, records)
	v := verify(t, dst)
	if !v.OK || v.Files != shards || v.Rows != shards || len(v.Unchecked) > 0 {
		t.Errorf("%d files, %d rows, %v, %v", v.Files, v.Rows, v.Findings, v.Unchecked)
	}
	key := rep.Manifest.Files[7777].Key
	raw := bytes.Clone(body(t, dst, key))
	raw[20] ^= 1
	dst.Write(key, raw)
	if v := verify(t, dst); v.OK || v.Findings[0].File != key {
		t.Errorf("found %v, want %s", v.Findings, key)
	}
}

// A roll-up of empty parts takes little more memory than its text.
func TestRollupIsBounded(t *testing.T) {
	for _, part := range []string{"{}", "null", "[]", "1"} {
		raw := []byte(`{"version":1,"prefixes":[` + strings.Repeat(part+",", rollup.MaxSize/(len(part)+1)-100) + part + `]}`)
		dst := membucket.New(nil, "reports").Bucket("reports")
		rep := write(t, dst, report.Limits{}, tenColumns, membucket.UniformRecords(10))
		dst.Write(directory+report.RollupName, raw)
		rep.Summary.Rollup = report.DescribeRollup(raw)
		dst.Write(directory+report.SummaryName, marshal(t, rep.Summary))
		took := allocated(func() {
			if v := verify(t, dst); v.OK || v.Findings[0].Check != report.CheckRollup {
				t.Errorf("%s: found %v", part, v.Findings)
			}
		})
		if took > 256<<20 {
			t.Errorf("%s: %d bytes were allocated", part, took)
		}
	}
}
