package store_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// flip changes one bit of a file.
func flip(t testing.TB, path string, off int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	if off < 0 {
		off += int64(len(b))
	}
	b[off] ^= 0x10
	check(t, os.WriteFile(path, b, 0o600))
}

// copyAll reads a range of an object in one of the ways that callers use. It
// returns the bytes that it read before the error.
func copyAll(s *store.Store, t *testing.T, off, n int64, writerTo bool) (string, error) {
	info, c, err := s.Open(t.Context(), object.Version{Bucket: "b", Key: "k"})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if n < 0 {
		n = info.Size - off
	}
	r, err := c.Range(off, n)
	if err != nil {
		return "", err
	}
	var got bytes.Buffer
	if writerTo {
		_, err = io.Copy(&got, r)
	} else {
		_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{r}, make([]byte, 1000))
	}
	return got.String(), err
}

// A flipped bit anywhere in a blob file, its checksums included, is never
// served. The bytes read before the error are correct. If the damage is near the
// beginning, the error comes before the first byte. The log names bucket, key and
// version. Ranges that do not touch the block are served.
func TestFlippedBits(t *testing.T) {
	const size = 600_000 // three chunks
	text := string(noise(size))
	for _, encryption := range []string{"", "AES256"} {
		for name, off := range map[string]int64{"first byte": 0, "third chunk": 530_000, "last byte": size - 1, "checksums": -1, "cut": -2} {
			t.Run(encryption+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				var log bytes.Buffer
				s := open(t, dir, store.Options{Keys: keyring{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
				bucket(t, s, object.Enabled)
				p := object.Put{Bucket: "b", Key: "k", Size: size, Attributes: object.Attributes{Encryption: &object.Encryption{Algorithm: encryption}}}
				info, err := s.PutObject(t.Context(), by, p, strings.NewReader(text))
				check(t, err)
				file := blobFiles(t, dir)[0]
				if off == -2 {
					check(t, os.Truncate(file, 400_000))
				} else {
					flip(t, file, off)
				}
				for _, writerTo := range []bool{false, true} {
					got, err := copyAll(s, t, 0, -1, writerTo)
					if err == nil || !strings.HasPrefix(text, got) || len(got) == size {
						t.Errorf("read %d bytes, %v", len(got), err)
					}
					if off == 0 && got != "" {
						t.Errorf("%d bytes were served before the error", len(got))
					}
				}
				if off != 0 && off != -2 { // a cut file has lost its checksums
					if got, err := copyAll(s, t, 70_000, 1000, true); err != nil || got != text[70_000:71_000] {
						t.Errorf("an undamaged range: %d bytes, %v", len(got), err)
					}
				}
				for _, want := range []string{"bucket=b", "key=k", "version=" + info.VersionID, "damaged"} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log lacks %q: %s", want, log.String())
					}
				}
			})
		}
	}
}

// Every range is read correctly, also across blocks and chunks.
func TestRangesOfCheckedBlobs(t *testing.T) {
	const size = 300_001
	text := string(noise(size))
	s := open(t, t.TempDir(), store.Options{})
	bucket(t, s, object.Unversioned)
	put(t, s, "k", text)
	edges := []int64{0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 300_000, 300_001}
	for _, off := range edges {
		for _, end := range edges {
			for _, writerTo := range []bool{false, true} {
				if end < off {
					continue
				}
				if got, err := copyAll(s, t, off, end-off, writerTo); err != nil || got != text[off:end] {
					t.Errorf("%d to %d: %d bytes, %v", off, end, len(got), err)
				}
			}
		}
	}
}
