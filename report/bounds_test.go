package report_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

// Overlong files of an untrusted report are errors or findings. They cost little memory and
// time: reading stops when a file is longer than any valid one.
func TestFilesAreBounded(t *testing.T) {
	const manifest = directory + report.ManifestName
	for _, tt := range []struct {
		name, key   string
		head, again string
		most        int64 // bytes read
		finding     report.Check
	}{
		{"an endless manifest", manifest, "{", " ", 65 << 20, ""},
		{"an endless checksum", directory + report.ChecksumName, "", "A", 2 << 20, report.CheckChecksum},
		{"a summary of one endless text", directory + report.SummaryName, `{"bucket":"`, "x", 2 << 20, ""},
		{"a summary of one endless file", directory + report.SummaryName, `{"files":[{"key":"k","pieces":[{}`, ",{}", 2 << 20, ""},
		{"a summary of files that say nothing", directory + report.SummaryName, `{"files":[{}`, ",{}", 2 << 20, report.CheckSummary},
		{"a summary of endless members", directory + report.SummaryName, `{"a":1`, `,"a":1`, 2 << 20, report.CheckSummary},
		{"a summary of nested arrays", directory + report.SummaryName, `{"a":`, "[", 2 << 20, report.CheckSummary},
		{"an endless shard", "photos/weekly-1/data/0.csv.gz", "", "x", 2 << 20, report.CheckSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst := membucket.New(nil, "reports").Bucket("reports")
			write(t, dst, report.Limits{}, tenColumns, membucket.UniformRecords(1000))
			b := &endlessBucket{Bucket: dst, key: tt.key, head: tt.head, again: tt.again}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v, err := report.Verify(t.Context(), b, manifest, report.VerifyOptions{})
			runtime.ReadMemStats(&after)
			found := false
			if v != nil {
				for _, f := range v.Findings {
					found = found || f.Check == tt.finding
				}
			}
			if (err == nil) != (tt.finding != "") || !found && err == nil {
				t.Errorf("%+v, %v", v, err)
			}
			if b.read > tt.most {
				t.Errorf("%d bytes were read, want at most %d", b.read, tt.most)
			}
			if allocated := int64(after.TotalAlloc - before.TotalAlloc); allocated > 5*tt.most+(64<<20) {
				t.Errorf("%d bytes were allocated for at most %d read", allocated, tt.most)
			}
		})
	}
}

// endlessBucket has an object of unlimited length.
type endlessBucket struct {
	report.Bucket
	key, head, again string
	read             int64
}

func (b *endlessBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if key != b.key {
		return b.Bucket.Open(ctx, key)
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(b.head), &endless{b: b, text: strings.Repeat(b.again, 10_000)})), nil
}

type endless struct {
	b    *endlessBucket
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.b.read += int64(n)
	return n, nil
}

// A summary of the greatest valid size is read.
func TestLargestSummary(t *testing.T) {
	if testing.Short() {
		t.Skip("a summary of 100 MiB")
	}
	const shards = 10_000
	key := strings.Repeat("%E7%8C%AB", 341) // of 1,023 bytes
	s := stocktake.Summary{Version: stocktake.SummaryVersion, Files: make([]stocktake.SummaryFile, shards)}
	for i := range s.Files {
		s.Files[i] = stocktake.SummaryFile{Key: key, FirstKey: key, LastKey: key, Pieces: []stocktake.SummaryPiece{{FirstKey: key}, {Row: 1 << 19, Offset: 1 << 30}}}
	}
	raw := marshal(t, s)
	dst := membucket.New(nil, "reports").Bucket("reports")
	dst.Write(directory+report.SummaryName, raw)
	got, err := report.ReadSummary(t.Context(), dst, directory+report.SummaryName)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != shards || got.Files[shards-1].LastKey != key || len(got.Files[0].Pieces) != 2 {
		t.Errorf("%d files of %d, from %d bytes", len(got.Files), shards, len(raw))
	}
}

func TestReadSummaryErrors(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	for _, raw := range []string{"", "[]", "{", `{"version":1`, `{"version":1}{}`, `{"version":2}`, `{"version":1,"files":{}}`, `{"version":1,"files":[1]}`, `{"version":1,"files":[{}]}`, `{"version":"1"}`} {
		dst.Write(directory+report.SummaryName, []byte(raw))
		if s, err := report.ReadSummary(t.Context(), dst, directory+report.SummaryName); !errors.Is(err, report.ErrMalformed) {
			t.Errorf("%q: %+v, %v, want %v", raw, s, err, report.ErrMalformed)
		}
	}
	dst.Write(directory+report.SummaryName, []byte(`{"version":1,"files":null,"tomorrow":{"a":[1]}}`))
	if _, err := report.ReadSummary(t.Context(), dst, directory+report.SummaryName); err != nil {
		t.Errorf("members of tomorrow: %v", err)
	}
}
