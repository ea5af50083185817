package store

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
		if got := joinCRC64(crc64.Checksum(a, crcTable), crc64.Checksum(b, crcTable), int64(len(b))); got != want {
			t.Errorf("joined %x and %x: %x, want %x", a, b, got, want)
		}
	})
}

func TestCRC64IsThatOfOSS(t *testing.T) {
	if got := crc64.Checksum([]byte("123456789"), crcTable); got != 11051210869376104954 {
		t.Error(got)
	}
}

func TestUpdateCRC64(t *testing.T) {
	p := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{}).Read(p)
	for _, n := range []int{0, 1, 7, 8, 3*crcStrand - 1, 3 * crcStrand, 3*crcStrand + 1, 3*crcStrand + 9, 6*crcStrand + 5, len(p)} {
		for _, before := range []uint64{0, 1, 0xfedcba9876543210} {
			want := crc64.Update(before, crcTable, p[:n])
			if got := updateCRC64(before, p[:n]); got != want {
				t.Errorf("%d bytes after %x: %x, want %x", n, before, got, want)
			}
		}
	}
}

func BenchmarkCRC64(b *testing.B) {
	p := make([]byte, 256<<10)
	b.Run("library", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			crc64.Update(0, crcTable, p)
		}
	})
	b.Run("strands", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			updateCRC64(0, p)
		}
	})
}
