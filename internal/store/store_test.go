package store_test

import (
	"bytes"
	"crypto/md5"
	"errors"
	"hash/crc64"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// by makes the changes of these tests.
var by = object.Origin{Principal: "1", Request: "0123456789ABCDEF01234567", Address: netip.MustParseAddr("192.0.2.1")}

// open opens a store in dir and closes it with the test.
func open(t testing.TB, dir string, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// bucket makes bucket "b".
func bucket(t testing.TB, s *store.Store, v object.Versioning) {
	t.Helper()
	b := object.Bucket{Name: "b", Owner: "1", ACL: stocktake.Private, Versioning: v, Redundancy: "LRS"}
	if err := s.CreateBucket(t.Context(), by, b, false); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, s *store.Store, key, data string) object.Info {
	t.Helper()
	info, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: key, Size: int64(len(data))}, strings.NewReader(data))
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return info
}

// read returns the content of a version.
func read(t testing.TB, s *store.Store, v object.Version) (object.Info, string) {
	t.Helper()
	info, c, err := s.Open(t.Context(), v)
	if err != nil {
		t.Fatalf("open %+v: %v", v, err)
	}
	defer c.Close()
	r, err := c.Range(0, info.Size)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return info, string(data)
}

func TestPutAndOpen(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 5, 16, 0, 0, 123e6, time.UTC)
	opts := store.Options{Now: func() time.Time { return now }}
	s, err := store.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	bucket(t, s, object.Unversioned)
	class := stocktake.IA
	attributes := object.Attributes{
		Headers: object.Headers{
			ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip",
			ContentLanguage: "de", Expires: "never", Meta: []object.Meta{{Name: "a", Value: "1"}, {Name: "b", Value: ""}},
		},
		StorageClass: &class, ACL: stocktake.PublicRead, Tags: []object.Tag{{Key: "k", Value: "v"}, {Key: "l", Value: ""}},
	}
	var want []object.Info
	sizes := []int{0, 1, 4096, 4097, 256 << 10, 300_000, 1 << 20}
	for i, size := range sizes {
		data := bytes.Repeat([]byte{byte(i), 0, 'x'}, size)[:size]
		sum := md5.Sum(data)
		key := string(rune('a' + i))
		info, err := s.PutObject(t.Context(), by, object.Put{Attributes: attributes, Bucket: "b", Key: key, Size: -1, MD5: sum[:]}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		expect := object.Info{
			Key: key, IsLatest: true, Size: int64(size), ETag: stocktake.ETag{Sum: sum}, MD5: sum[:],
			CRC64: crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)), LastModified: now, StorageClass: class, ACL: stocktake.PublicRead,
			Headers: attributes.Headers, Tags: attributes.Tags,
		}
		if diff := cmp.Diff(expect, info); diff != "" {
			t.Errorf("size %d: made (-want +got):\n%s", size, diff)
		}
		want = append(want, info)
	}
	check := func(s *store.Store) {
		t.Helper()
		for i, size := range sizes {
			info, data := read(t, s, object.Version{Bucket: "b", Key: want[i].Key})
			if diff := cmp.Diff(want[i], info); diff != "" {
				t.Errorf("size %d: (-want +got):\n%s", size, diff)
			}
			if md5.Sum([]byte(data)) != want[i].ETag.Sum {
				t.Errorf("size %d: other bytes came back", size)
			}
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, dir, opts))
}

func TestRefusedPutLeavesNothing(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		put  object.Put
		body io.Reader
		want error
	}{
		{"short", object.Put{Size: 5}, strings.NewReader("1234"), object.ErrIncompleteBody},
		{"long", object.Put{Size: 3}, strings.NewReader("1234"), object.ErrIncompleteBody},
		{"short large", object.Put{Size: 1 << 20}, strings.NewReader(strings.Repeat("x", 1<<19)), object.ErrIncompleteBody},
		{"cut", object.Put{Size: -1}, io.MultiReader(strings.NewReader("1234"), errReader{io.ErrUnexpectedEOF}), object.ErrIncompleteBody},
		{"broken", object.Put{Size: -1}, io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<19)), errReader{broken}), broken},
		{"idle", object.Put{Size: -1}, errReader{nil}, io.ErrNoProgress},
		{"digest", object.Put{Size: -1, MD5: make([]byte, 16)}, strings.NewReader("1234"), object.ErrBadDigest},
		{"sha", object.Put{Size: -1, SHA256: make([]byte, 32)}, strings.NewReader(strings.Repeat("x", 1<<19)), object.ErrBadDigest},
		{"announced too large", object.Put{Size: 5<<30 + 1}, strings.NewReader(""), object.ErrTooLarge},
		{"forbidden", object.Put{Size: -1, Attributes: object.Attributes{ForbidOverwrite: true}}, strings.NewReader("1234"), object.ErrFileExists},
		{"no key", object.Put{Size: -1, Attributes: object.Attributes{Encryption: &object.Encryption{Algorithm: "AES256"}}}, strings.NewReader("1234"), object.ErrKMSKey},
		{"no bucket", object.Put{Bucket: "other"}, strings.NewReader("1234"), stocktake.ErrNoSuchBucket},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, store.Options{})
			bucket(t, s, object.Unversioned)
			before := put(t, s, "k", "before")
			tt.put.Key = "k"
			if tt.put.Bucket == "" {
				tt.put.Bucket = "b"
			}
			if _, err := s.PutObject(t.Context(), by, tt.put, tt.body); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			after, data := read(t, s, object.Version{Bucket: "b", Key: "k"})
			if diff := cmp.Diff(before, after); diff != "" || data != "before" {
				t.Errorf("content %q, info (-before +after):\n%s", data, diff)
			}
			if left := blobFiles(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if stat, err := s.BucketStat(t.Context(), "b"); err != nil || stat.Objects[0] != 1 || stat.Bytes[0] != 6 {
				t.Errorf("statistics %+v, %v", stat, err)
			}
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestFullDisk refuses bodies while there is still room for the log.
func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, "data", quiet(mem))
	bucket(t, s, object.Unversioned)
	put(t, s, "k", "1")
	for _, tt := range []struct {
		free  uint64
		size  int
		taken bool
	}{{1 << 30, 1 << 20, true}, {129 << 20, 1 << 20, true}, {128 << 20, 1 << 20, false}, {127 << 20, 1, false}} {
		mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: tt.free, TotalBytes: 100 << 30})
		p := object.Put{Bucket: "b", Key: "k", Size: int64(tt.size)}
		if _, err := s.PutObject(t.Context(), by, p, strings.NewReader(strings.Repeat("x", tt.size))); (err == nil) != tt.taken {
			t.Errorf("%d bytes free, %d bytes put: %v", tt.free, tt.size, err)
		}
		f, err := s.Destination("b", by).Create(t.Context(), "f", engine.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(make([]byte, 1000))
		if taken := err == nil; taken != (tt.free >= 128<<20) {
			t.Errorf("%d bytes free, a file written: %v", tt.free, err)
		}
		f.Abort()
	}
	if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: "k"}); err != nil {
		t.Errorf("with a full disk, too, one can delete: %v", err)
	}
}
