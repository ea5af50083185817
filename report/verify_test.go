package report_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
)

func verify(t tb, b report.Bucket) *report.Verification {
	t.Helper()
	v, err := report.Verify(t.Context(), b, directory+report.ManifestName, report.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Valid reports of all kinds are verified without findings.
func TestVerifyFindsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.Bool().Draw(t, "versions")
		records := membucket.RandomRecords(t, 10, versions)
		columns := allColumns[:rapid.IntRange(5, len(allColumns)).Draw(t, "columns")]
		if !versions {
			columns = append(columns[:2:2], columns[5:]...)
		}
		dst := membucket.New(nil, "reports").Bucket("reports")
		write(t, dst, report.Limits{Rows: rapid.Int64Range(1, 9).Draw(t, "rows")}, columns, records)
		v := verify(t, dst)
		if !v.OK || len(v.Findings) > 0 || v.Rows != int64(len(records)) || v.Run != "run-1" || v.SourceBucket != "photos" {
			t.Errorf("%+v", v)
		}
		if complete := slices.Contains(columns, stocktake.FieldStorageClass); (len(v.Unchecked) == 0) != complete {
			t.Errorf("unchecked %q with the columns %v", v.Unchecked, columns)
		}
	})
}

// Every kind of damage is found and reported as that kind.
func TestVerifyFinds(t *testing.T) {
	const shard0, shard1 = "photos/weekly-1/data/0.csv.gz", "photos/weekly-1/data/1.csv.gz"
	const manifest, summary, checksum = directory + report.ManifestName, directory + report.SummaryName, directory + report.ChecksumName
	type change = func(t *testing.T, b *membucket.Bucket)

	// file replaces the content of an object.
	file := func(key string, edit func([]byte) []byte) change {
		return func(t *testing.T, b *membucket.Bucket) { b.Write(key, edit(body(t, b, key))) }
	}
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				panic("nothing to replace: " + old)
			}
			return bytes.ReplaceAll(b, []byte(old), []byte(new))
		}
	}
	// rows edits the rows of a shard and makes manifest, checksum and summary consistent with
	// the stored bytes.
	rows := func(key string, edit func([]byte) []byte) change {
		return func(t *testing.T, b *membucket.Bucket) { repack(t, b, key, edit(gunzip(t, body(t, b, key)))) }
	}
	remove := func(key string) change {
		return func(t *testing.T, b *membucket.Bucket) {
			if err := b.Remove(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	about := func(edit func(*stocktake.Summary)) change {
		return file(summary, func(raw []byte) []byte {
			var s stocktake.Summary
			if err := json.Unmarshal(raw, &s); err != nil {
				panic(err)
			}
			edit(&s)
			raw, _ = json.Marshal(s)
			return raw
		})
	}
	for _, tt := range []struct {
		name   string
		damage change
		want   []report.Check // in order of their names
	}{
		{"checksum missing", remove(checksum), []report.Check{report.CheckChecksum}},
		{"checksum with a line end", file(checksum, func(b []byte) []byte { return append(b, '\n') }), []report.Check{report.CheckChecksum}},
		{"manifest edited", file(manifest, replace(`"sourceBucket":"photos"`, `"sourceBucket": "photos"`)), []report.Check{report.CheckChecksum}},
		{"manifest is not an object", file(manifest, func([]byte) []byte { return []byte("[]") }), []report.Check{report.CheckChecksum, report.CheckManifest}},
		{"another format", file(manifest, replace("CSV", "ORC")), []report.Check{report.CheckChecksum, report.CheckManifest}},
		{"no key column", file(manifest, replace(" Key,", " Kee,")), []report.Check{report.CheckChecksum, report.CheckManifest}},
		{"summary is not JSON", file(summary, func([]byte) []byte { return []byte("{") }), []report.Check{report.CheckSummary}},
		{"summary of another bucket", about(func(s *stocktake.Summary) { s.Bucket = "other" }), []report.Check{report.CheckSummary}},
		{"summary of another time", about(func(s *stocktake.Summary) { s.Start = s.Start.Add(1e9) }), []report.Check{report.CheckSummary}},
		{"summary ends before it starts", about(func(s *stocktake.Summary) { s.End = s.Start.Add(-1e9) }), []report.Check{report.CheckSummary}},
		{"fewer listed than matched", about(func(s *stocktake.Summary) { s.Listed = 1 }), []report.Check{report.CheckSummary}},
		{"summary lacks a file", about(func(s *stocktake.Summary) { s.Files = s.Files[1:] }), []report.Check{report.CheckSummary}},
		{"summary has another MD5", about(func(s *stocktake.Summary) { s.Files[0].MD5 = strings.Repeat("0", 32) }), []report.Check{report.CheckSummary}},
		{"another SHA-256", about(func(s *stocktake.Summary) { s.Files[0].SHA256 = "" }), []report.Check{report.CheckSHA256}},
		{"another row count", about(func(s *stocktake.Summary) { s.Files[0].Rows++ }), []report.Check{report.CheckRows}},
		{"another first key", about(func(s *stocktake.Summary) { s.Files[1].FirstKey = "x" }), []report.Check{report.CheckRange}},
		{"another last key", about(func(s *stocktake.Summary) { s.Files[1].LastKey = "x" }), []report.Check{report.CheckRange}},
		{"another first key of a piece", about(func(s *stocktake.Summary) { s.Files[0].Pieces[1].FirstKey = "x" }), []report.Check{report.CheckPieces}},
		{"another offset of a piece", about(func(s *stocktake.Summary) { s.Files[0].Pieces[1].Offset++ }), []report.Check{report.CheckPieces}},
		{"the offset of another piece", about(func(s *stocktake.Summary) { p := s.Files[0].Pieces; p[1].Offset = p[2].Offset; p[2].Offset++ }), []report.Check{report.CheckPieces}},
		{"another row of a piece", about(func(s *stocktake.Summary) { s.Files[0].Pieces[2].Row++ }), []report.Check{report.CheckPieces}},
		{"a piece behind the end", about(func(s *stocktake.Summary) { s.Files[0].Pieces[2].Offset = s.Files[0].Size }), []report.Check{report.CheckPieces}},
		{"pieces that do not ascend", about(func(s *stocktake.Summary) { s.Files[0].Pieces[2].Row = 1 }), []report.Check{report.CheckPieces}},
		{"too many pieces", about(func(s *stocktake.Summary) { s.Files[0].Pieces = make([]stocktake.SummaryPiece, 33) }), []report.Check{report.CheckPieces}},
		{"no pieces", about(func(s *stocktake.Summary) { s.Files[0].Pieces, s.Matched, s.Listed = nil, s.Matched+1, s.Listed+1 }), []report.Check{report.CheckTotals}},
		{"another total", about(func(s *stocktake.Summary) { s.Matched++; s.Listed++ }), []report.Check{report.CheckTotals}},
		{"other bytes", about(func(s *stocktake.Summary) { s.Bytes++ }), []report.Check{report.CheckTotals}},
		{"other classes", about(func(s *stocktake.Summary) { s.Classes[0].Objects++ }), []report.Check{report.CheckTotals}},
		{"no classes", about(func(s *stocktake.Summary) { s.Classes = nil }), []report.Check{report.CheckTotals}},

		{"shard missing", remove(shard1), []report.Check{report.CheckMissing, report.CheckTotals}},
		{
			"shard cut off", file(shard1, func(b []byte) []byte { return b[:len(b)-9] }),
			[]report.Check{report.CheckFormat, report.CheckMD5, report.CheckSHA256, report.CheckSize},
		},
		{
			"shard with something behind it", file(shard1, func(b []byte) []byte { return append(b, "x"...) }),
			[]report.Check{report.CheckFormat, report.CheckMD5, report.CheckSHA256, report.CheckSize},
		},
		{
			"shard is not gzip", file(shard1, func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }),
			[]report.Check{report.CheckFormat, report.CheckMD5, report.CheckRange, report.CheckRows, report.CheckSHA256, report.CheckTotals},
		},
		{
			"shard empty", file(shard1, func([]byte) []byte { return nil }),
			[]report.Check{report.CheckFormat, report.CheckMD5, report.CheckRange, report.CheckRows, report.CheckSHA256, report.CheckSize, report.CheckTotals},
		},

		{"a row lost", rows(shard1, func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] }), []report.Check{report.CheckRange, report.CheckRows, report.CheckTotals}},
		{"a row twice", rows(shard1, func(b []byte) []byte { return append(b, b[bytes.LastIndexByte(b[:len(b)-1], '\n')+1:]...) }), []report.Check{report.CheckDuplicate, report.CheckRows, report.CheckTotals}},
		{"a row of the shard before", func(t *testing.T, b *membucket.Bucket) {
			before := gunzip(t, body(t, b, shard0))
			repack(t, b, shard1, append(before[bytes.LastIndexByte(before[:len(before)-1], '\n')+1:], gunzip(t, body(t, b, shard1))...))
		}, []report.Check{report.CheckDuplicate, report.CheckRange, report.CheckRows, report.CheckTotals}},
		{"shards in another order", func(t *testing.T, b *membucket.Bucket) {
			first, second := gunzip(t, body(t, b, shard0)), gunzip(t, body(t, b, shard1))
			repack(t, b, shard0, second)
			repack(t, b, shard1, first)
		}, []report.Check{report.CheckOrder, report.CheckRange}},
		{"rows in another order", rows(shard1, func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			lines[0], lines[1] = lines[1], lines[0]
			return bytes.Join(lines, nil)
		}), []report.Check{report.CheckOrder, report.CheckRange}},
		{"another bucket's row", rows(shard1, replace("photos,", "videos,")), []report.Check{report.CheckRow}},
		{"a column too few", rows(shard1, replace(`,"Standard"`, "")), []report.Check{report.CheckRange, report.CheckRow, report.CheckTotals}},
		{"no number", rows(shard1, replace(`"10"`, `"1O"`)), []report.Check{report.CheckRange, report.CheckRow, report.CheckTotals}},
		{"no class", rows(shard1, replace("Standard", "Stand;rd")), []report.Check{report.CheckRange, report.CheckRow, report.CheckTotals}},
		{"no date", rows(shard1, replace("2026-01-05T", "2026-02-30T")), []report.Check{report.CheckRange, report.CheckRow, report.CheckTotals}},
		{"a broken escape", rows(shard1, replace("%2F", "%2G")), []report.Check{report.CheckRange, report.CheckRow, report.CheckTotals}},
		{"an open quote", rows(shard1, func(b []byte) []byte { return b[:len(b)-2] }), []report.Check{report.CheckRange, report.CheckRow, report.CheckTotals}},
		{"an empty key", rows(shard1, replace(`"b%2F1"`, `""`)), []report.Check{report.CheckOrder, report.CheckRange, report.CheckRow}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst := membucket.New(nil, "reports").Bucket("reports")
			columns := []stocktake.Field{
				stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldVersionID,
				stocktake.FieldSize, stocktake.FieldStorageClass, stocktake.FieldLastModifiedDate,
			}
			var records []stocktake.Record
			for _, key := range []string{"a/1", "a/2", "a/3", "b/1", "b/2", "b/3"} {
				records = append(records, stocktake.Record{Key: []byte(key), VersionID: []byte("v1"), Size: int64(10 + len(records)%3), LastModified: start})
			}
			records[3].Size, records[3].VersionID = 10, []byte("v2")
			write(t, dst, report.Limits{Rows: 3, PieceRows: 1}, columns, records)
			if v := verify(t, dst); !v.OK {
				t.Fatalf("before the damage: %v", v.Findings)
			}
			tt.damage(t, dst)
			v := verify(t, dst)
			var got []report.Check
			for _, f := range v.Findings {
				got = append(got, f.Check)
				if f.File == "" || f.Detail == "" || f.Count < 1 || !strings.Contains(f.String(), f.Detail) {
					t.Errorf("finding %+v", f)
				}
			}
			slices.Sort(got)
			got = slices.Compact(got)
			if !slices.Equal(got, tt.want) || v.OK {
				t.Errorf("found %v, want %v:\n%v", got, tt.want, v.Findings)
			}
		})
	}
}

// repack replaces the content of a shard by rows, and makes the rest of the report consistent
// with the stored bytes.
func repack(t *testing.T, b *membucket.Bucket, key string, rows []byte) {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(rows)
	w.Close()
	b.Write(key, packed.Bytes())

	r, err := report.Open(t.Context(), b, directory+report.ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	sum, sha := md5.Sum(packed.Bytes()), sha256Hex(packed.Bytes())
	for i := range r.Manifest.Files {
		m, s := &r.Manifest.Files[i], &r.Summary.Files[i]
		if m.Key == key {
			m.Size, m.MD5 = int64(packed.Len()), upper(sum[:])
			s.Size, s.MD5, s.SHA256, s.Pieces = m.Size, m.MD5, sha, nil
		}
	}
	raw := r.Manifest.AppendJSON(nil)
	b.Write(directory+report.ManifestName, raw)
	b.Write(directory+report.ChecksumName, []byte(report.Checksum(raw)))
	about, err := json.Marshal(r.Summary)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(directory+report.SummaryName, about)
}

// A report of OSS has no summary, other quotes, another order, and unknown columns. Everything
// that can be verified is.
func TestVerifyForeign(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	write(t, dst, report.Limits{Rows: 2}, tenColumns, []stocktake.Record{
		{Key: []byte("a"), Size: 1}, {Key: []byte("b"), Size: 2}, {Key: []byte("c"), Size: 3},
	})
	r, err := report.Open(t.Context(), dst, directory+report.ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	repack(t, dst, r.Manifest.Files[0].Key, []byte("\"photos\",\"z\",5,Standard,True,x\r\nphotos,a+b,\"6\",\"IA\",False,y\r\n"))
	raw, manifest := []byte(nil), directory+report.ManifestName
	raw = bytes.ReplaceAll(body(t, dst, manifest), []byte(stocktake.FileSchema(tenColumns)), []byte("Bucket,Key,Size,StorageClass,EncryptionStatus,Tomorrow"))
	repackedOnly := bytes.Replace(raw, []byte(`,{"MD5`), []byte(`],"ignored":[{"MD5`), 1)
	dst.Write(manifest, repackedOnly)
	for _, name := range []string{report.SummaryName, report.ChecksumName} {
		if err := dst.Remove(t.Context(), directory+name); err != nil {
			t.Fatal(err)
		}
	}
	v := verify(t, dst)
	if !v.OK || v.Rows != 2 || v.Bytes != 11 || len(v.Classes) != 2 || len(v.Unchecked) != 4 {
		t.Errorf("%+v", v)
	}
	dst.Write(directory+report.ChecksumName, []byte("x"))
	if v := verify(t, dst); v.OK || v.Findings[0].Check != report.CheckChecksum {
		t.Errorf("with a wrong checksum: %+v", v)
	}
}

// A key with many versions spans several shards. A version that is in two of them is found,
// however far apart they are.
func TestVerifyVersionsAcrossShards(t *testing.T) {
	for _, again := range []int{-1, 0, 3, 7} { // number of the version that is repeated at the end; -1: none
		var records []stocktake.Record
		version := func(i int) stocktake.Record {
			return stocktake.Record{Key: []byte("k"), VersionID: []byte{'v', byte('0' + i)}}
		}
		for i := range 9 {
			records = append(records, version(i))
		}
		if again >= 0 {
			records = append(records, version(again))
		}
		dst := membucket.New(nil, "reports").Bucket("reports")
		write(t, dst, report.Limits{Rows: 2}, allColumns, records)
		v := verify(t, dst)
		if v.OK != (again < 0) || !v.OK && (len(v.Findings) != 1 || v.Findings[0].Check != report.CheckDuplicate) {
			t.Errorf("version %d again: %v", again, v.Findings)
		}
	}
}

func TestVerifyErrors(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	manifest := directory + report.ManifestName
	if _, err := report.Verify(t.Context(), dst, manifest, report.VerifyOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no report: %v", err)
	}
	write(t, dst, report.Limits{Rows: 100}, tenColumns, membucket.UniformRecords(1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := report.Verify(ctx, dst, manifest, report.VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// Each operation fails once. Each failure is an error, not a finding.
	boom := errors.New("boom")
	for n := 1; ; n++ {
		b := &brokenBucket{Bucket: dst, n: n, err: boom}
		v, err := report.Verify(t.Context(), b, manifest, report.VerifyOptions{Workers: 1})
		if b.n > 0 {
			if err != nil || !v.OK {
				t.Errorf("nothing failed: %v, %v", v, err)
			}
			break
		}
		if !errors.Is(err, boom) {
			t.Errorf("operation %d failed: %+v, %v", n, v, err)
		}
	}
}

// brokenBucket fails at the n-th Open or Read.
type brokenBucket struct {
	report.Bucket
	n   int
	err error
}

func (b *brokenBucket) fail() bool {
	b.n--
	return b.n == 0
}

func (b *brokenBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if b.fail() {
		return nil, b.err
	}
	f, err := b.Bucket.Open(ctx, key)
	return &brokenFile{f, b}, err
}

func (b *brokenBucket) OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if b.fail() {
		return nil, b.err
	}
	f, err := b.Bucket.OpenRange(ctx, key, offset, length)
	return &brokenFile{f, b}, err
}

type brokenFile struct {
	io.ReadCloser
	b *brokenBucket
}

func (f *brokenFile) Read(p []byte) (int, error) {
	if f.b.fail() {
		return 0, f.b.err
	}
	return f.ReadCloser.Read(p)
}

// A column that the manifest names twice is reported, because readers may use either.
func TestVerifyNamesDuplicateColumn(t *testing.T) {
	const manifest = directory + report.ManifestName
	for old, edited := range map[string]string{`"fileSchema":"`: `"fileSchema":"Key, `, `, Size`: ", Key, Size"} {
		b := membucket.New(nil, "reports").Bucket("reports")
		write(t, b, report.Limits{Rows: 3}, allColumns, nil)
		text := string(body(t, b, manifest))
		if !strings.Contains(text, old) {
			t.Fatal(text)
		}
		b.Write(manifest, []byte(strings.Replace(text, old, edited, 1)))
		named := slices.ContainsFunc(verify(t, b).Findings, func(f report.Finding) bool {
			return f.Check == report.CheckManifest && strings.Contains(f.Detail, `has the column "Key" twice`)
		})
		if !named {
			t.Errorf("%s: %+v", edited, verify(t, b).Findings)
		}
	}
}
