package report_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// files is a bucket of reports in memory: all that reading needs.
type files map[string][]byte

func (f files) Open(_ context.Context, key string) (io.ReadCloser, error) {
	body, ok := f[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

func (f files) OpenRange(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, ok := f[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if offset < 0 || offset >= int64(len(body)) {
		return nil, io.ErrUnexpectedEOF
	}
	if length < 0 {
		length = int64(len(body))
	}
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(body), offset, length)), nil
}

func (f files) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(f)) {
			if strings.HasPrefix(key, prefix) && !yield(key, nil) {
				return
			}
		}
	}
}

// example returns a bucket with one report of three rows.
func example() files {
	return exampleOf([]stocktake.Record{
		{Key: []byte("2026/cat.jpg"), Size: 3 << 20},
		{Key: []byte("2026/dog.jpg"), Size: 2 << 20, StorageClass: stocktake.IA},
		{Key: []byte("old/fish.jpg"), Size: 1 << 20, StorageClass: stocktake.Archive},
	})
}

// exampleOf returns a bucket with one report of the records.
func exampleOf(records []stocktake.Record) files {
	columns := []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldStorageClass}
	format, err := report.FormatNamed("CSV")
	if err != nil {
		panic(err)
	}
	shards, err := report.NewShardWriter(format, "photos", columns, report.Limits{})
	if err != nil {
		panic(err)
	}
	var body bytes.Buffer
	if err := shards.Begin(&body); err != nil {
		panic(err)
	}
	if _, err := shards.Write(records); err != nil {
		panic(err)
	}
	shard, err := shards.End()
	if err != nil {
		panic(err)
	}
	manifest := stocktake.Manifest{
		CreationTimestamp: 1767628800, DestinationBucket: "reports", SourceBucket: "photos",
		FileFormat: format.Name(), FileSchema: format.Schema(columns), Version: stocktake.ManifestVersion,
		Files: []stocktake.ManifestFile{{Key: "photos/daily/data/0.csv.gz", Size: shard.Size, MD5: shard.MD5}},
	}
	raw := manifest.AppendJSON(nil)
	return files{
		"photos/daily/data/0.csv.gz":                       body.Bytes(),
		"photos/daily/2026-01-05T16-00Z/manifest.json":     raw,
		"photos/daily/2026-01-05T16-00Z/manifest.checksum": []byte(report.Checksum(raw)),
	}
}

func ExampleReport_Rows() {
	ctx, bucket := context.Background(), example()
	manifest, err := report.Newest(ctx, bucket, report.Location{Bucket: "photos", Configuration: "daily"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := report.Open(ctx, bucket, manifest)
	if err != nil {
		fmt.Println(err)
		return
	}
	for row, err := range r.Rows(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s has %d bytes, %s\n", row.Key, row.Size, row.StorageClass)
	}
	// Output:
	// 2026/cat.jpg has 3145728 bytes, Standard
	// 2026/dog.jpg has 2097152 bytes, IA
	// old/fish.jpg has 1048576 bytes, Archive
}

func ExampleVerify() {
	const manifest = "photos/daily/2026-01-05T16-00Z/manifest.json"
	bucket := example()
	for range 2 {
		v, err := report.Verify(context.Background(), bucket, manifest, report.VerifyOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("ok:", v.OK, "rows:", v.Rows)
		for _, f := range v.Findings {
			fmt.Println(f.Check, "of", f.File)
		}
		bucket["photos/daily/data/0.csv.gz"] = []byte("rubbish")
	}
	// Output:
	// ok: true rows: 3
	// ok: false rows: 0
	// format of photos/daily/data/0.csv.gz
	// size of photos/daily/data/0.csv.gz
	// md5 of photos/daily/data/0.csv.gz
}

func ExampleReport_AddUp() {
	ctx := context.Background()
	r, err := report.Open(ctx, example(), "photos/daily/2026-01-05T16-00Z/manifest.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	sums, err := r.ReadRollup(ctx) // made during the report
	if errors.Is(err, fs.ErrNotExist) {
		sums, err = r.AddUp(ctx, report.AddUpOptions{}) // a report of OSS
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	prefixes, _ := sums.Level(1)
	for _, p := range prefixes {
		fmt.Println(p.Prefix, p.Objects, p.Bytes)
	}
	// Output:
	// 2026/ 2 5242880
	// old/ 1 1048576
}

func ExampleReport_Find() {
	ctx := context.Background()
	r, err := report.Open(ctx, example(), "photos/daily/2026-01-05T16-00Z/manifest.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	for row, err := range r.Find(ctx, []byte("2026/d")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s has %d bytes\n", row.Key, row.Size)
	}
	// Output:
	// 2026/dog.jpg has 2097152 bytes
}

func ExampleDiff() {
	ctx := context.Background()
	const manifest = "photos/daily/2026-01-05T16-00Z/manifest.json"
	before, err := report.Open(ctx, example(), manifest)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := report.Open(ctx, exampleOf([]stocktake.Record{
		{Key: []byte("2026/cat.jpg"), Size: 4 << 20},
		{Key: []byte("2026/cow.jpg"), Size: 5 << 20},
		{Key: []byte("old/fish.jpg"), Size: 1 << 20, StorageClass: stocktake.Archive},
	}), manifest)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := report.Diff(ctx, before, after, report.DiffOptions{}, func(c *report.Change) error {
		fmt.Printf("%s %s %v\n", c.Kind, c.Key(), c.What)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum.Same, "row is the same")
	// Output:
	// changed 2026/cat.jpg [Size]
	// added 2026/cow.jpg []
	// removed 2026/dog.jpg []
	// 1 row is the same
}

func ExampleReport_Split() {
	ctx := context.Background()
	r, err := report.Open(ctx, example(), "photos/daily/2026-01-05T16-00Z/manifest.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	var group sync.WaitGroup
	var total atomic.Int64
	for _, keys := range r.Split(4) {
		group.Go(func() {
			for row, err := range r.Read(ctx, report.Query{Keys: keys, Columns: []stocktake.Field{stocktake.FieldSize}}) {
				if err != nil {
					fmt.Println(err)
					return
				}
				total.Add(row.Size)
			}
		})
	}
	group.Wait()
	fmt.Println(total.Load(), "bytes")
	// Output:
	// 6291456 bytes
}

// Create makes files a target of Convert.
func (f files) Create(_ context.Context, key, _ string, exclusive bool) (report.TargetFile, error) {
	if _, ok := f[key]; ok && exclusive {
		return nil, fs.ErrExist
	}
	return &file{in: f, key: key}, nil
}

func (f files) Remove(_ context.Context, key string) error {
	delete(f, key)
	return nil
}

// file is an object that is stored in files when it is committed.
type file struct {
	bytes.Buffer
	in  files
	key string
}

func (f *file) Commit(context.Context, [16]byte) error {
	f.in[f.key] = f.Bytes()
	return nil
}

func (f *file) Abort() error { return nil }

func ExampleConvert() {
	ctx := context.Background()
	r, err := report.Open(ctx, example(), "photos/daily/2026-01-05T16-00Z/manifest.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	archive := files{}
	large := stocktake.NewMatcher(stocktake.Filter{LowerSizeBound: 2 << 20}, false)
	manifest, err := report.Convert(ctx, r, archive, report.ConvertOptions{
		Base: "large/", Match: &large,
		Columns: []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := report.Verify(ctx, archive, manifest, report.VerifyOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(manifest, v.Rows, "rows, ok:", v.OK)
	// Output:
	// large/2026-01-05T16-00Z/manifest.json 2 rows, ok: true
}
