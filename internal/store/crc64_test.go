package store

import (
	"hash/crc64"
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
