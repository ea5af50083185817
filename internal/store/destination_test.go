package store_test

import (
	"bytes"
	"crypto/md5"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// A report file is dropped from the system's cache while it is written, and is
// complete afterwards.
func TestDestinationDropsBehind(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	bucket(t, s, object.Unversioned)
	f, err := s.Destination("b", by).Create(t.Context(), "shard", engine.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	sum, crc := md5.New(), crc64.New(crc64.MakeTable(crc64.ECMA))
	piece := make([]byte, 256<<10)
	const pieces = 5 * 16 << 20 / (256 << 10) // dropped from the cache twice on the way, and once at the end
	for range pieces {
		random.Read(piece)
		sum.Write(piece)
		crc.Write(piece)
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	want := [16]byte(sum.Sum(nil))
	if err := f.Commit(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	info, c, err := s.Open(t.Context(), object.Version{Bucket: "b", Key: "shard"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if info.CRC64 != crc.Sum64() || info.Size != int64(pieces*len(piece)) {
		t.Errorf("CRC-64 %d, size %d; want %d, %d", info.CRC64, info.Size, crc.Sum64(), pieces*len(piece))
	}
	r, err := c.Range(0, info.Size)
	if err != nil {
		t.Fatal(err)
	}
	sum.Reset()
	if _, err := io.Copy(sum, r); err != nil {
		t.Fatal(err)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want[:]) {
		t.Errorf("MD5 of what is read: %x, want %x", got, want)
	}
}
