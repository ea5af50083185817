package report_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz"
)

// The cuts between shards depend on the records and the limits. The rows of all
// shards are those of the encoder, each shard describes its content correctly, and
// none is empty.
func TestShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := membucket.RandomRecords(t, 12, true)
		limits := report.Limits{
			Rows:  rapid.Int64Range(0, 6).Draw(t, "rows"),
			Bytes: rapid.SampledFrom([]int64{0, 1, 300, 700, 5000}).Draw(t, "bytes"),
		}
		var files []*bytes.Buffer
		made := shards(t, csvgz.Format, allColumns, limits, rapid.IntRange(1, 12).Draw(t, "batch"), records, func(int) io.WriteCloser {
			files = append(files, new(bytes.Buffer))
			return closer{files[len(files)-1]}
		})

		enc, err := csvrow.NewEncoder("photos", allColumns)
		if err != nil {
			t.Fatal(err)
		}
		for n, file := range files {
			var rows []byte
			first := records[0].Key
			var last []byte
			count := int64(0)
			for len(records) > 0 && count < limits.Rows+1_000_000*b2i(limits.Rows == 0) && (limits.Bytes == 0 || int64(len(rows)) < limits.Bytes) {
				rows = enc.AppendRow(rows, &records[0])
				last, records = records[0].Key, records[1:]
				count++
			}
			md5sum, sha := md5.Sum(file.Bytes()), sha256.Sum256(file.Bytes())
			want := report.Shard{Sum: md5sum, SummaryFile: stocktake.SummaryFile{
				Size: int64(file.Len()), MD5: upper(md5sum[:]), SHA256: hex.EncodeToString(sha[:]), Rows: count,
				FirstKey: string(report.AppendKey(nil, first)), LastKey: string(report.AppendKey(nil, last)),
			}}
			if diff := cmp.Diff(want, made[n]); diff != "" {
				t.Errorf("shard %d (-want +got):\n%s", n, diff)
			}
			if got := gunzip(t, file.Bytes()); !bytes.Equal(got, rows) {
				t.Errorf("shard %d holds\n%s, want\n%s", n, got, rows)
			}
		}
		if len(records) > 0 || len(made) != len(files) {
			t.Errorf("%d shards, %d files, %d records left", len(made), len(files), len(records))
		}
	})
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

type closer struct{ io.Writer }

func (closer) Close() error { return nil }

func upper(b []byte) string { return string(bytes.ToUpper([]byte(hex.EncodeToString(b)))) }

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

func TestShardWriterPassesErrorsOn(t *testing.T) {
	boom := errors.New("boom")
	records := membucket.UniformRecords(5000)
	for _, healthy := range []int{0, 1, 100_000} { // bytes before the error
		w := newShardWriter(t, csvgz.Format, tenColumns, report.Limits{})
		err := w.Begin(&brokenWriter{healthy, boom})
		if err == nil {
			_, err = w.Write(records)
		}
		if err == nil {
			_, err = w.End()
		}
		if !errors.Is(err, boom) {
			t.Errorf("after %d bytes: error %v, want boom", healthy, err)
		}
		var buf bytes.Buffer
		if err := w.Begin(&buf); err != nil { // and is ready for the next
			t.Fatal(err)
		}
		if _, err := w.Write(records[:1]); err != nil {
			t.Fatal(err)
		}
		if shard, err := w.End(); err != nil || shard.Rows != 1 || len(gunzip(t, buf.Bytes())) == 0 {
			t.Errorf("the shard after: %+v, %v", shard, err)
		}
	}
}

// Rows outside a shard are an error, not lost.
func TestShardWriterWantsBegin(t *testing.T) {
	records := membucket.UniformRecords(5000)
	for _, finish := range []func(*report.ShardWriter){
		func(w *report.ShardWriter) { w.End() },
		func(w *report.ShardWriter) { w.Drop(); w.Drop() },
	} {
		w := newShardWriter(t, csvgz.Format, tenColumns, report.Limits{})
		if err := w.Begin(io.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(records[:1]); err != nil {
			t.Fatal(err)
		}
		finish(w)
		_, err := w.Write(records)
		if err == nil {
			_, err = w.End()
		}
		if err == nil {
			t.Error("no error for rows after the end")
		}
	}
}

type brokenWriter struct {
	healthy int
	err     error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.healthy -= len(p); w.healthy < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestShardWriterDoesNotAllocate(t *testing.T) {
	w := newShardWriter(t, csvgz.Format, tenColumns, report.Limits{})
	records := membucket.UniformRecords(1000)
	if err := w.Begin(io.Discard); err != nil {
		t.Fatal(err)
	}
	write := func() {
		if _, err := w.Write(records); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if allocs := testing.AllocsPerRun(20, write); allocs != 0 {
		t.Errorf("%v allocations for %d rows", allocs, len(records))
	}
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
