package kms_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	streaming "github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/kms"
)

const first = kms.SegmentSize - 16 - 40 // content of the first segment

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func encrypt(t testing.TB, plain, key, aad []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := kms.NewWriter(&out, key, aad)
	must(t, err)
	for len(plain) > 0 { // in odd pieces
		n := min(len(plain), 1+len(plain)/3)
		_, err := w.Write(plain[:n])
		must(t, err)
		plain = plain[n:]
	}
	must(t, w.Close())
	return out.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func reader(t testing.TB, cipher, key, aad []byte) *kms.Reader {
	t.Helper()
	r, err := kms.NewReader(bytes.NewReader(cipher), int64(len(cipher)), key, aad)
	must(t, err)
	return r
}

// Around the borders of segments, our reader and Tink's read back content of each
// size, and the sizes of content and stream can be computed from each other.
func TestSizes(t *testing.T) {
	key := kms.NewDataKey()
	tink, err := streaming.NewAESGCMHKDF(key, "SHA256", kms.DataKeySize, kms.SegmentSize, 0)
	must(t, err)
	const each = kms.SegmentSize - 16
	for _, n := range []int{0, 1, 1000, first - 1, first, first + 1, first + each - 1, first + each, first + each + 1, first + 3*each} {
		plain := content(n)
		cipher := encrypt(t, plain, key, []byte("aad"))
		if got := kms.CipherSize(int64(n)); got != int64(len(cipher)) {
			t.Errorf("CipherSize(%d) = %d, want %d", n, got, len(cipher))
		}
		if got, err := kms.PlainSize(int64(len(cipher))); err != nil || got != int64(n) {
			t.Errorf("PlainSize(%d) = %d, %v, want %d", len(cipher), got, err, n)
		}
		r := reader(t, cipher, key, []byte("aad"))
		if r.Size() != int64(n) {
			t.Errorf("size %d, want %d", r.Size(), n)
		}
		if got, err := io.ReadAll(r.Range(0, r.Size())); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
		if n <= 1000 { // its time is the square of n
			if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), plain); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		theirs, err := tink.NewDecryptingReader(bytes.NewReader(cipher), []byte("aad"))
		must(t, err)
		if got, err := io.ReadAll(theirs); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: Tink read %d, %v", n, len(got), err)
		}
	}
	for _, size := range []int64{-1, 0, 55, kms.SegmentSize + 16, kms.SegmentSize + 1, 1 << 62} {
		if n, err := kms.PlainSize(size); !errors.Is(err, kms.ErrCorrupt) {
			t.Errorf("PlainSize(%d) = %d, %v", size, n, err)
		}
	}
}

func TestSizesAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, kms.MaxPlain).Draw(t, "n")
		if got, err := kms.PlainSize(kms.CipherSize(n)); err != nil || got != n {
			t.Errorf("PlainSize(CipherSize(%d)) = %d, %v", n, got, err)
		}
	})
}

// Any range, read in either way and in any steps, equals that range of the content.
func TestRanges(t *testing.T) {
	key := kms.NewDataKey()
	plain := content(first + 2*kms.SegmentSize + 777)
	r := reader(t, encrypt(t, plain, key, nil), key, nil)
	rapid.Check(t, func(t *rapid.T) {
		border := rapid.SampledFrom([]int{0, first, first + kms.SegmentSize - 16, len(plain)}).Draw(t, "border")
		off := max(0, border+rapid.IntRange(-20, 20).Draw(t, "around"))
		n := rapid.SampledFrom([]int{0, 1, 19, 1000, kms.SegmentSize, 3 * kms.SegmentSize}).Draw(t, "n")
		off = min(off, len(plain))
		want := plain[off:min(off+n, len(plain))]

		got, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(r.Range(int64(off), int64(n)), 1000)))
		if err != nil || !bytes.Equal(got, want[:min(len(want), 1000)]) {
			t.Errorf("range %d+%d: %d bytes, %v", off, n, len(got), err)
		}
		var out bytes.Buffer
		written, err := r.Range(int64(off), int64(n)).(io.WriterTo).WriteTo(&out)
		if err != nil || int(written) != len(want) || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("range %d+%d: wrote %d bytes, %v", off, n, written, err)
		}
		p := make([]byte, n)
		m, err := r.ReadAt(p, int64(off))
		if m != len(want) || !bytes.Equal(p[:m], want) || (err == io.EOF) != (m < n || off == len(plain)) && n > 0 {
			t.Errorf("ReadAt %d+%d: %d, %v", off, n, m, err)
		}
	})
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("read before the beginning")
	}
}

// Content that was changed, cut, moved or belongs to another object is never returned.
func TestCorruptStreams(t *testing.T) {
	key, aad := kms.NewDataKey(), []byte("bucket/key")
	plain := content(first + kms.SegmentSize - 16 + 5)
	cipher := encrypt(t, plain, key, aad)
	read := func(cipher, key, aad []byte) error {
		r, err := kms.NewReader(bytes.NewReader(cipher), int64(len(cipher)), key, aad)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(r.Range(0, r.Size()))
		if err == nil && !bytes.Equal(got, plain) {
			t.Fatal("other content, and no error")
		}
		return err
	}
	must(t, read(cipher, key, aad))
	for _, i := range []int{0, 1, 20, 35, 39, 40, 1000, kms.SegmentSize - 1, kms.SegmentSize, len(cipher) - 1} {
		changed := bytes.Clone(cipher)
		changed[i] ^= 1
		if err := read(changed, key, aad); !errors.Is(err, kms.ErrCorrupt) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	swapped := append(append(bytes.Clone(cipher[:kms.SegmentSize]), cipher[2*kms.SegmentSize:]...), cipher[kms.SegmentSize:2*kms.SegmentSize]...)
	for name, c := range map[string][]byte{
		"cut at a segment": cipher[:2*kms.SegmentSize], "cut in a segment": cipher[:len(cipher)-1], "cut in the header": cipher[:30], "nothing": nil,
		"longer": append(bytes.Clone(cipher), 0), "segments in another order": swapped, "without its first segment": cipher[kms.SegmentSize:],
	} {
		if err := read(c, key, aad); !errors.Is(err, kms.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := read(cipher, kms.NewDataKey(), aad); !errors.Is(err, kms.ErrCorrupt) {
		t.Errorf("another key: %v", err)
	}
	if err := read(cipher, key, []byte("bucket/other")); !errors.Is(err, kms.ErrCorrupt) {
		t.Errorf("another object: %v", err)
	}
	// A file that is shorter than the index says.
	r, err := kms.NewReader(bytes.NewReader(cipher[:kms.SegmentSize]), int64(len(cipher)), key, aad)
	must(t, err)
	if _, err := io.ReadAll(r.Range(0, r.Size())); !errors.Is(err, kms.ErrCorrupt) {
		t.Errorf("short file: %v", err)
	}
	for _, short := range [][]byte{nil, key[:16]} {
		if _, err := kms.NewWriter(io.Discard, short, nil); err == nil {
			t.Error("wrote with a short key")
		}
		if _, err := kms.NewReader(bytes.NewReader(cipher), int64(len(cipher)), short, nil); err == nil {
			t.Error("read with a short key")
		}
	}
}

// Each operation on the file fails once; the error is returned unchanged.
func TestErrorsOfTheFile(t *testing.T) {
	key := kms.NewDataKey()
	plain := content(3 * kms.SegmentSize)
	cipher := encrypt(t, plain, key, nil)
	broken := errors.New("disk on fire")
	for n := 0; ; n++ {
		f := &flaky{ReaderAt: bytes.NewReader(cipher), left: n, err: broken}
		r, err := kms.NewReader(f, int64(len(cipher)), key, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, r.Range(0, r.Size()))
		}
		if err == nil {
			if n != 5 { // the header and four segments
				t.Errorf("%d reads, want 5", n)
			}
			break
		}
		if !errors.Is(err, broken) {
			t.Errorf("read %d failed: %v", n, err)
		}
	}
	for n := 0; ; n++ {
		f := &flakyWriter{left: n, err: broken}
		w, err := kms.NewWriter(f, key, nil)
		if err == nil {
			_, err = w.Write(plain)
			if closeErr := w.Close(); err == nil {
				err = closeErr
			}
		}
		if err == nil {
			break
		}
		if !errors.Is(err, broken) {
			t.Errorf("write %d failed: %v", n, err)
		}
	}
	r := reader(t, cipher, key, nil)
	if _, err := r.Range(0, r.Size()).(io.WriterTo).WriteTo(&flakyWriter{left: 1, err: broken}); !errors.Is(err, broken) {
		t.Errorf("writing to a broken client: %v", err)
	}
}

type flaky struct {
	io.ReaderAt
	left int
	err  error
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, off)
}

type flakyWriter struct {
	left int
	err  error
}

func (f *flakyWriter) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// A reader of a stream with a changed byte returns an error or the original content.
func FuzzReader(f *testing.F) {
	key := bytes.Repeat([]byte{7}, kms.DataKeySize)
	f.Add([]byte("hello"), []byte("aad"), 3, byte(1))
	f.Fuzz(func(t *testing.T, plain, aad []byte, at int, flip byte) {
		cipher := encrypt(t, plain, key, aad)
		if at >= 0 && at < len(cipher) {
			cipher[at] ^= flip
		}
		r, err := kms.NewReader(bytes.NewReader(cipher), int64(len(cipher)), key, aad)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r.Range(0, r.Size()))
		}
		changed := at >= 0 && at < len(cipher) && flip != 0
		if changed && !errors.Is(err, kms.ErrCorrupt) || !changed && (err != nil || !bytes.Equal(got, plain)) {
			t.Errorf("changed=%v: %q, %v", changed, got, err)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	key := kms.NewDataKey()
	plain := content(64 << 20)
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			w, err := kms.NewWriter(io.Discard, key, nil)
			must(b, err)
			_, err = w.Write(plain)
			must(b, err)
			must(b, w.Close())
		}
	})
	cipher := encrypt(b, plain, key, nil)
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			r := reader(b, cipher, key, nil)
			_, err := io.Copy(io.Discard, r.Range(0, r.Size()))
			must(b, err)
		}
	})
	b.Run("range-4KiB", func(b *testing.B) {
		r := reader(b, cipher, key, nil)
		p := make([]byte, 4<<10)
		b.SetBytes(int64(len(p)))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, err := r.ReadAt(p, int64(i)*7919*4096%(int64(len(plain))-4096))
			must(b, err)
		}
	})
	b.Run("object-1KiB", func(b *testing.B) {
		small := plain[:1<<10]
		b.SetBytes(int64(len(small)))
		b.ReportAllocs()
		for b.Loop() {
			cipher := encrypt(b, small, key, nil)
			r := reader(b, cipher, key, nil)
			_, err := io.Copy(io.Discard, r.Range(0, r.Size()))
			must(b, err)
		}
	})
}
