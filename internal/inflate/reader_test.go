package inflate_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stocktake/stocktake/internal/inflate"
)

// inputs are the contents that tests compress.
func inputs() map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300<<10)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	var rows, skewed bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&rows, "photos,\"data%%2Fpart-%05d\",\"%d\",\"%016X\"\n", i, rnd.Uint32()>>rnd.IntN(30), rnd.Uint64())
	}
	for range 400_000 { // codes of all lengths
		b := byte(0)
		for b < 255 && rnd.IntN(3) > 0 {
			b++
		}
		skewed.WriteByte(b)
	}
	return map[string][]byte{
		"nothing": nil, "a byte": {'a'}, "noise": noise, "rows": rows.Bytes(), "skewed": skewed.Bytes(),
		"zeros": make([]byte, 400<<10), "words": []byte(strings.Repeat("the quick brown fox ", 30_000)),
	}
}

func deflate(t testing.TB, level int, p []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var levels = []int{flate.HuffmanOnly, flate.NoCompression, 1, 5, 9}

func TestRaw(t *testing.T) {
	r := inflate.NewRaw(nil)
	for name, want := range inputs() {
		for _, level := range levels {
			stored := deflate(t, level, want)
			for how, src := range map[string]io.Reader{
				"at once": bytes.NewReader(stored), "by bytes": iotest.OneByteReader(bytes.NewReader(stored)),
				"by halves": iotest.HalfReader(bytes.NewReader(stored)), "with the error": iotest.DataErrReader(bytes.NewReader(stored)),
			} {
				r.ResetRaw(src)
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s, level %d, %s: %d bytes, %v, want %d", name, level, how, len(got), err, len(want))
				}
			}
		}
	}
}

// Bytes after the last block of a raw stream are ignored.
func TestRawEnds(t *testing.T) {
	stored := append(deflate(t, 5, []byte("abc")), "more"...)
	got, err := io.ReadAll(inflate.NewRaw(bytes.NewReader(stored)))
	if err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestGzip(t *testing.T) {
	var stored bytes.Buffer
	var want []byte
	for name, p := range inputs() {
		w, err := gzip.NewWriterLevel(&stored, levels[len(name)%len(levels)])
		if err != nil {
			t.Fatal(err)
		}
		w.Name, w.Comment, w.Extra = name, "a comment", []byte("extra")
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want = append(want, p...)
	}
	got, err := io.ReadAll(inflate.NewGzip(iotest.HalfReader(&stored)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
	}
}

// If a file is cut off at any point, the data returned before is a prefix of the
// content and the error is io.ErrUnexpectedEOF.
func TestCutOff(t *testing.T) {
	want := inputs()["rows"][:40<<10]
	stored := deflate(t, 5, want)
	r := inflate.NewRaw(nil)
	for n := 0; n < len(stored); n += 1 + n/200 {
		r.ResetRaw(bytes.NewReader(stored[:n]))
		got, err := io.ReadAll(r)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(want, got) {
			t.Fatalf("%d of %d bytes: %d bytes, %v", n, len(stored), len(got), err)
		}
		theirs, _ := io.ReadAll(flate.NewReader(bytes.NewReader(stored[:n])))
		if len(got) < len(theirs) {
			t.Fatalf("%d of %d bytes: %d bytes, compress/flate returns %d", n, len(stored), len(got), len(theirs))
		}
	}
}

// An error of the source is returned after the data before it.
func TestSourceFails(t *testing.T) {
	boom := errors.New("boom")
	want := inputs()["words"]
	stored := deflate(t, 5, want)
	got, err := io.ReadAll(inflate.NewRaw(io.MultiReader(bytes.NewReader(stored[:len(stored)/2]), iotest.ErrReader(boom))))
	if !errors.Is(err, boom) || len(got) == 0 || !bytes.HasPrefix(want, got) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := io.ReadAll(inflate.NewGzip(iotest.ErrReader(boom))); !errors.Is(err, boom) {
		t.Error(err)
	}
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := io.ReadAll(inflate.NewRaw(stuck)); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestGzipFaults(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte("hello, hello, hello"))
	w.Close()
	whole := b.Bytes()
	change := func(i int) []byte {
		p := bytes.Clone(whole)
		p[(i+len(p))%len(p)] ^= 1
		return p
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.ErrUnexpectedEOF},
		{"magic", change(0), gzip.ErrHeader},
		{"method", change(2), gzip.ErrHeader},
		{"checksum", change(-8), gzip.ErrChecksum},
		{"size", change(-1), gzip.ErrChecksum},
		{"text after it", append(bytes.Clone(whole), "x"...), io.ErrUnexpectedEOF},
		{"more text after it", append(bytes.Clone(whole), "0123456789"...), gzip.ErrHeader},
		{"header cut", whole[:5], io.ErrUnexpectedEOF},
		{"trailer cut", whole[:len(whole)-3], io.ErrUnexpectedEOF},
	} {
		if _, err := io.ReadAll(inflate.NewGzip(bytes.NewReader(tt.in))); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// FuzzRaw compares the Reader with compress/flate: the same output, and an error if
// that has one. At the end of truncated input compress/flate omits symbols that are
// shorter than the end of a block.
func FuzzRaw(f *testing.F) {
	for _, p := range inputs() {
		p = p[:min(len(p), 2000)]
		for _, level := range levels {
			f.Add(deflate(f, level, p), uint16(0), byte(0))
			f.Add(deflate(f, level, p), uint16(30), byte(1))
		}
	}
	r := inflate.NewRaw(nil)
	f.Fuzz(func(t *testing.T, in []byte, at uint16, flip byte) {
		if len(in) > 0 {
			in = bytes.Clone(in)
			in[int(at)%len(in)] ^= flip
		}
		const most = 1 << 20
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(in)), most))
		r.ResetRaw(bytes.NewReader(in))
		got, err := io.ReadAll(io.LimitReader(r, most))
		cut := errors.Is(wantErr, io.ErrUnexpectedEOF) && bytes.HasPrefix(got, want)
		if !bytes.Equal(got, want) && !cut || (err == nil) != (wantErr == nil) || !cut && errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes, %v; compress/flate returns %d, %v", len(got), err, len(want), wantErr)
		}
		r.ResetRaw(iotest.OneByteReader(bytes.NewReader(in)))
		if again, err2 := io.ReadAll(io.LimitReader(r, most)); !bytes.Equal(again, got) || fmt.Sprint(err2) != fmt.Sprint(err) {
			t.Fatalf("by bytes: %d bytes, %v; at once %d, %v", len(again), err2, len(got), err)
		}
	})
}

// FuzzGzip does the same with compress/gzip.
func FuzzGzip(f *testing.F) {
	for name, p := range inputs() {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Name = name
		w.Write(p[:min(len(p), 500)])
		w.Close()
		f.Add(b.Bytes())
		f.Add(append(b.Bytes(), b.Bytes()...))
	}
	r := inflate.NewGzip(nil)
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 1 << 20
		var want []byte
		theirs, wantErr := gzip.NewReader(bytes.NewReader(in))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(theirs, most))
		} else if wantErr == io.EOF {
			wantErr = io.ErrUnexpectedEOF
		}
		r.ResetGzip(bytes.NewReader(in))
		got, err := io.ReadAll(io.LimitReader(r, most))
		cut := errors.Is(wantErr, io.ErrUnexpectedEOF) && bytes.HasPrefix(got, want)
		if !bytes.Equal(got, want) && !cut || (err == nil) != (wantErr == nil) {
			t.Fatalf("%d bytes, %v; compress/gzip returns %d, %v", len(got), err, len(want), wantErr)
		}
	})
}

func BenchmarkRows(b *testing.B) { benchmark(b, inputs()["rows"]) }

// BenchmarkPage decompresses a page of a listing of empty objects, most of which are
// matches.
func BenchmarkPage(b *testing.B) {
	var page []byte
	for i := range 1000 {
		page = fmt.Appendf(page, "<Contents><Key>part-000/object-%08d</Key><LastModified>2026-11-27T06:46:%02d.%03dZ</LastModified>"+
			"<ETag>&#34;d41d8cd98f00b204e9800998ecf8427e&#34;</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>", 100*i, i/40, i*317%1000)
	}
	benchmark(b, page)
}

func benchmark(b *testing.B, want []byte) {
	stored := deflate(b, 1, want)
	src := bytes.NewReader(nil)
	buf := make([]byte, 64<<10)
	r := inflate.NewRaw(nil)
	b.SetBytes(int64(len(want)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(stored)
		r.ResetRaw(src)
		if n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf); err != nil || n != int64(len(want)) {
			b.Fatal(n, err)
		}
	}
}
