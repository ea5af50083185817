package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// check compares the sums of p, written in pieces of the sizes, with those of
// the standard library.
func check(t *testing.T, s *Sums, p []byte, sizes ...int) {
	t.Helper()
	rest := p
	for i := 0; len(rest) > 0; i++ {
		n := len(rest)
		if len(sizes) > 0 {
			n = min(n, sizes[i%len(sizes)])
		}
		if m, err := s.Write(rest[:n]); m != n || err != nil {
			t.Fatalf("Write: %d, %v", m, err)
		}
		rest = rest[n:]
	}
	m, h := s.Sum()
	if want := md5.Sum(p); m != want {
		t.Errorf("%d bytes in pieces of %d: MD5 %x, want %x", len(p), sizes, m, want)
	}
	if want := sha256.Sum256(p); h != want {
		t.Errorf("%d bytes in pieces of %d: SHA-256 %x, want %x", len(p), sizes, h, want)
	}
}

// everyWay runs the test with the assembly, if this processor supports it, and
// without.
func everyWay(t *testing.T, test func(t *testing.T)) {
	had := fast
	if had {
		t.Run("assembly", test)
	}
	setFast(t, false)
	t.Run("library", test)
}

func TestSums(t *testing.T) {
	p := make([]byte, 1<<16+1)
	rand.NewChaCha8([32]byte{}).Read(p)
	p = p[1:] // not aligned
	everyWay(t, func(t *testing.T) {
		var s Sums
		for n := range 300 {
			s.Reset()
			check(t, &s, p[:n])
		}
		for _, sizes := range [][]int{{1}, {63}, {64}, {65}, {1, 64, 127, 3}, {8192, 1}} {
			s.Reset()
			check(t, &s, p, sizes...)
		}
	})
}

// The zero value is ready, and a sum does not end its stream.
func TestSumsGoOn(t *testing.T) {
	everyWay(t, func(t *testing.T) {
		check(t, new(Sums), nil)
		var s Sums
		check(t, &s, []byte("inventory"))
		s.Write([]byte(" and more"))
		if m, _ := s.Sum(); m != md5.Sum([]byte("inventory and more")) {
			t.Errorf("MD5 after a sum: %x", m)
		}
	})
}

func FuzzSums(f *testing.F) {
	f.Add([]byte(""), uint16(1), uint8(1))
	f.Add([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456"), uint16(3), uint8(7))
	f.Fuzz(func(t *testing.T, p []byte, times uint16, piece uint8) {
		var long []byte
		for range times % 300 {
			long = append(long, p...)
		}
		check(t, new(Sums), long, max(int(piece), 1))
	})
}

func TestSumsAllocateNothing(t *testing.T) {
	p := make([]byte, 1000)
	var s Sums
	s.Reset()
	if n := testing.AllocsPerRun(100, func() { s.Write(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSums(b *testing.B) {
	p := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(p)
	b.Run("both", func(b *testing.B) {
		var s Sums
		b.SetBytes(int64(len(p)))
		b.ReportAllocs()
		for b.Loop() {
			s.Write(p)
		}
	})
	q := make([]byte, len(p))
	rand.NewChaCha8([32]byte{1}).Read(q)
	b.Run("two", func(b *testing.B) {
		var x, y Sums
		b.SetBytes(2 * int64(len(p)))
		for b.Loop() {
			writeBoth(&x, &y, p, q)
		}
	})
	b.Run("twoMD5", func(b *testing.B) {
		x, y := Sums{MD5Only: true}, Sums{MD5Only: true}
		b.SetBytes(2 * int64(len(p)))
		for b.Loop() {
			writeBoth(&x, &y, p, q)
		}
	})
	b.Run("oneMD5", func(b *testing.B) {
		x := Sums{MD5Only: true}
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			x.Write(p)
		}
	})
	b.Run("library", func(b *testing.B) {
		m, h := md5.New(), sha256.New()
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			m.Write(p)
			h.Write(p)
		}
	})
	b.Run("md5", func(b *testing.B) {
		m := md5.New()
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			m.Write(p)
		}
	})
}
