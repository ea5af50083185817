package csvgz

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// The combined CRC-32 of two parts is that of the whole, whatever their lengths.
func TestCombineCRC32(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{7})
	content := make([]byte, 100_000)
	rnd.Read(content)
	whole := func(n int) uint32 { return crc32.ChecksumIEEE(content[:n]) }
	for _, n := range []int{0, 1, 2, 3, 255, 256, 65535, 65536, len(content)} {
		for _, m := range []int{0, 1, 7, n / 2, n - 1, n} {
			if m < 0 || m > n {
				continue
			}
			if got := combineCRC32(whole(m), crc32.ChecksumIEEE(content[m:n]), int64(n-m)); got != whole(n) {
				t.Errorf("%d and %d bytes: %08x, want %08x", m, n-m, got, whole(n))
			}
		}
	}
	// More than fits into 32 bits: 2^32 zeros, doubled from one.
	zeros, n := crc32.ChecksumIEEE([]byte{0}), int64(1)
	for ; n < 1<<20; n *= 2 {
		zeros = combineCRC32(zeros, zeros, n)
	}
	if want := crc32.ChecksumIEEE(make([]byte, 1<<20)); zeros != want {
		t.Errorf("2^20 zeros: %08x, want %08x", zeros, want)
	}
	for ; n < 1<<32; n *= 2 {
		zeros = combineCRC32(zeros, zeros, n)
	}
	var want uint32
	block := make([]byte, 1<<24)
	for range 1 << 8 {
		want = crc32.Update(want, crc32.IEEETable, block)
	}
	if zeros != want {
		t.Errorf("2^32 zeros: %08x, want %08x", zeros, want)
	}
}
