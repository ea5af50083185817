package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
)

// discard is a destination that discards everything.
type discard struct{}

func (discard) Create(context.Context, string, engine.FileOptions) (engine.File, error) {
	return discardFile{io.Discard}, nil
}

func (discard) Open(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (discard) OpenRange(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}

func (discard) List(context.Context, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}
func (discard) FreeSpace(context.Context) (int64, error) { return -1, nil }
func (discard) Remove(context.Context, string) error     { return nil }

type discardFile struct{ io.Writer }

func (discardFile) Commit(context.Context, [16]byte) error { return nil }
func (discardFile) Abort() error                           { return nil }

// allColumns are the ten original optional fields of OSS.
var allColumns = []stocktake.Field{
	stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate, stocktake.FieldETag,
	stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
	stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
}

func BenchmarkRun(b *testing.B) {
	const n = 1_000_000
	src := membucket.Uniform(n)
	job := engine.Job{Run: "bench", Attempt: 1, Bucket: "lake", Configuration: stocktake.InventoryConfiguration{
		ID: "all", Destination: stocktake.Destination{Format: "CSV", Bucket: "reports"},
		IncludedObjectVersions: stocktake.CurrentVersions, OptionalFields: allColumns,
	}}
	b.ReportAllocs()
	for b.Loop() {
		result, err := engine.Run(b.Context(), src, discard{}, job, engine.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil || result.Summary.Matched != n {
			b.Fatal(result.Summary.Matched, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}

// A run allocates nothing per record. Both runs have more records than any limit of a
// roll-up.
func TestRunAllocatesNothingPerRecord(t *testing.T) {
	job := newJob(func(c *stocktake.InventoryConfiguration) { c.Filter.LowerSizeBound = 1 << 20 })
	run := func(n int64) float64 {
		src := membucket.Uniform(n)
		return testing.AllocsPerRun(2, func() {
			if _, err := engine.Run(t.Context(), src, discard{}, job, engine.Options{Workers: 1, Log: quiet}); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := run(50_000), run(150_000)
	if many > few+1000 { // a roll-up has an entry for each prefix
		t.Errorf("%v allocations for 50,000 records, %v for 150,000", few, many)
	}
}

// gunzip reads a single gzip stream with the standard library.
func gunzip(t tb, b []byte) []byte {
	src := bytes.NewReader(b)
	r, err := gzip.NewReader(src)
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	rows, err := io.ReadAll(r)
	if err != nil || src.Len() > 0 {
		t.Fatal(err, src.Len(), "bytes after the stream")
	}
	return rows
}
