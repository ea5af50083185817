package digest

import (
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

func FuzzJoinCRC64(f *testing.F) {
	f.Add([]byte(""), []byte(""))
	f.Add([]byte("1234"), []byte("56789"))
	f.Add([]byte("hello"), make([]byte, 1000))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		want := crc64.Checksum(append(append([]byte{}, a...), b...), crcTable)
		if got := JoinCRC64(crc64.Checksum(a, crcTable), crc64.Checksum(b, crcTable), int64(len(b))); got != want {
			t.Errorf("joined %x and %x: %x, want %x", a, b, got, want)
		}
	})
}

func TestCRC64IsThatOfOSS(t *testing.T) {
	if got := UpdateCRC64(0, []byte("123456789")); got != 11051210869376104954 {
		t.Error(got)
	}
}

// crcFuncs returns the implementations of CRC-64 that this processor supports.
func crcFuncs() map[string]func(uint64, []byte) uint64 {
	funcs := map[string]func(uint64, []byte) uint64{"strands": strandsCRC64, "any": UpdateCRC64}
	if foldable {
		funcs["fold"] = func(crc uint64, p []byte) uint64 {
			if len(p) < blockSize {
				return strandsCRC64(crc, p)
			}
			return foldCRC64(crc, p)
		}
	}
	return funcs
}

func TestUpdateCRC64(t *testing.T) {
	p := make([]byte, 200_001)
	rand.NewChaCha8([32]byte{}).Read(p)
	p = p[1:] // not aligned
	sizes := []int{3*crcStrand - 1, 3 * crcStrand, 3*crcStrand + 1, 3*crcStrand + 9, 6*crcStrand + 5, len(p)}
	for n := range 300 {
		sizes = append(sizes, n)
	}
	for name, update := range crcFuncs() {
		for _, n := range sizes {
			for _, before := range []uint64{0, 1, 0xfedcba9876543210} {
				want := crc64.Update(before, crcTable, p[:n])
				if got := update(before, p[:n]); got != want {
					t.Errorf("%s: %d bytes after %x: %x, want %x", name, n, before, got, want)
				}
			}
		}
	}
}

func FuzzUpdateCRC64(f *testing.F) {
	f.Add(uint64(0), []byte("123456789"), uint16(20))
	f.Fuzz(func(t *testing.T, before uint64, p []byte, times uint16) {
		var long []byte
		for range times % 200 {
			long = append(long, p...)
		}
		want := crc64.Update(before, crcTable, long)
		for name, update := range crcFuncs() {
			if got := update(before, long); got != want {
				t.Errorf("%s: %x, want %x", name, got, want)
			}
		}
	})
}

func BenchmarkCRC64(b *testing.B) {
	p := make([]byte, 256<<10)
	funcs := crcFuncs()
	funcs["library"] = func(crc uint64, p []byte) uint64 { return crc64.Update(crc, crcTable, p) }
	for name, update := range funcs {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				update(0, p)
			}
		})
	}
}
