package store_test

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

func noise(n int) []byte {
	data := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n)})
	rng.Read(data)
	return data
}

// TestAppendManySizes makes objects whose pieces are merged and not merged.
func TestAppendManySizes(t *testing.T) {
	for _, encryption := range []object.Encryption{{}, {Algorithm: "AES256"}} {
		mem := vfs.NewMem()
		opts := quiet(mem)
		opts.Keys = keyring{}
		s := open(t, "data", opts)
		bucket(t, s, object.Enabled)
		p := object.Put{Bucket: "b", Key: "log", Size: -1, Attributes: object.Attributes{Encryption: &encryption}}
		var want []byte
		var id string
		for i, size := range []int{0, 10, 0, 100, 600 << 10, 10, 100, 600 << 10, 0, 300 << 10, 300 << 10, 7} {
			part := noise(size)
			info, err := s.AppendObject(t.Context(), by, p, int64(len(want)), bytes.NewReader(part))
			if err != nil {
				t.Fatal(i, err)
			}
			want = append(want, part...)
			if i > 0 && info.VersionID != id {
				t.Errorf("append %d made version %s of %s", i, info.VersionID, id)
			}
			id = info.VersionID
			if info.Size != int64(len(want)) || info.CRC64 != crc64.Checksum(want, crc64.MakeTable(crc64.ECMA)) || info.Type != stocktake.Appendable {
				t.Errorf("append %d: %+v", i, info)
			}
			got, data := read(t, s, object.Version{Bucket: "b", Key: "log"})
			if data != string(want) || got.ETag.String() != info.ETag.String() {
				t.Fatalf("append %d: %d bytes, want %d; they are others", i, len(data), len(want))
			}
		}
		checkRanges(t, s, "log", want)
		if _, err := s.SealAppendObject(t.Context(), by, "b", "log", int64(len(want))); err != nil {
			t.Error(err)
		}
		if _, err := s.AppendObject(t.Context(), by, p, int64(len(want)), strings.NewReader("x")); !errors.Is(err, object.ErrSealed) {
			t.Error(err)
		}
		if files := memFiles(t, mem, "data/blobs"); len(files) < 2 || len(files) > 5 {
			t.Errorf("files %q", files)
		}
	}
}

// checkRanges reads ranges of an object in any order from one content.
func checkRanges(t *testing.T, s *store.Store, key string, want []byte) {
	t.Helper()
	info, c, err := s.Open(t.Context(), object.Version{Bucket: "b", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		off := rng.Int64N(info.Size + 1)
		n := rng.Int64N(info.Size - off + 1)
		r, err := c.Range(off, n)
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(4) == 0 { // not read to its end
			n /= 2
			r = io.LimitReader(r, n)
		}
		data, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(data, want[off:off+n]) {
			t.Errorf("range %d+%d: %d bytes, %v", off, n, len(data), err)
		}
	}
	for _, bad := range [][2]int64{{-1, 1}, {0, -1}, {0, info.Size + 1}, {info.Size + 1, 0}, {1 << 62, 1 << 62}} {
		if _, err := c.Range(bad[0], bad[1]); err == nil {
			t.Errorf("range %d: no error", bad)
		}
	}
}

// TestAppendRace: of several appends at one position, one succeeds.
func TestAppendRace(t *testing.T) {
	s := open(t, "data", quiet(vfs.NewMem()))
	bucket(t, s, object.Unversioned)
	var mu sync.Mutex
	var want []byte
	for round := range 20 {
		position := int64(len(want))
		var wg sync.WaitGroup
		won := 0
		for i := range 4 {
			part := bytes.Repeat([]byte{byte(round), byte(i)}, 1+round*7)
			wg.Go(func() {
				_, err := s.AppendObject(t.Context(), by, object.Put{Bucket: "b", Key: "k", Size: -1}, position, bytes.NewReader(part))
				mu.Lock()
				defer mu.Unlock()
				if e, ok := errors.AsType[*object.PositionError](err); ok {
					if e.Length != position && e.Length != position+int64(len(part)) {
						t.Errorf("position %d: length %d", position, e.Length)
					}
					return
				}
				if err != nil {
					t.Error(err)
				}
				won++
				want = append(want, part...)
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("round %d: %d appends at %d were done", round, won, position)
		}
	}
	if _, data := read(t, s, object.Version{Bucket: "b", Key: "k"}); data != string(want) {
		t.Errorf("%d bytes, want %d", len(data), len(want))
	}
}

// pieced makes an object of three files.
func pieced(t *testing.T, s *store.Store, key string) []byte {
	t.Helper()
	u, err := s.InitiateUpload(t.Context(), by, object.Put{Bucket: "b", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	id := object.UploadID{Bucket: "b", Key: key, ID: u.ID}
	var data []byte
	for n := 1; n <= 3; n++ {
		part := noise(object.MinPartSize + n)
		data = append(data, part...)
		if _, err := s.UploadPart(t.Context(), by, id, n, object.Put{Size: -1}, bytes.NewReader(part)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CompleteUpload(t.Context(), by, id, object.Completion{}); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestOpenContentOutlivesItsObject reads objects after their deletion.
func TestOpenContentOutlivesItsObject(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, "data", quiet(mem))
	bucket(t, s, object.Unversioned)
	want := map[string][]byte{"tiny": []byte("tiny"), "file": noise(1000), "pieces": pieced(t, s, "pieces"), "log": nil}
	put(t, s, "tiny", string(want["tiny"]))
	put(t, s, "file", string(want["file"]))
	extend := func(size int) {
		part := noise(size)
		p := object.Put{Bucket: "b", Key: "log", Size: -1}
		if _, err := s.AppendObject(t.Context(), by, p, int64(len(want["log"])), bytes.NewReader(part)); err != nil {
			t.Fatal(err)
		}
		want["log"] = append(want["log"], part...)
	}
	extend(600 << 10)
	extend(50)
	contents := map[string]object.Content{}
	for key := range want {
		for range 2 { // two readers of each
			_, c, err := s.Open(t.Context(), object.Version{Bucket: "b", Key: key})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			contents[key] = c
		}
	}
	old := want["log"]
	extend(70) // rewrites the last piece
	want["log"] = old
	for key := range want {
		if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	for key, c := range contents {
		r, err := c.Range(0, int64(len(want[key])))
		if err != nil {
			t.Fatal(key, err)
		}
		if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, want[key]) {
			t.Errorf("%s: %d bytes, want %d: %v", key, len(data), len(want[key]), err)
		}
	}
	t.Cleanup(func() { // when all are closed
		if files := memFiles(t, mem, "data/blobs"); len(files) > 0 {
			t.Errorf("left over: %q", files)
		}
	})
}

// TestCopyTakesNoSpace copies a file, and deletes the original.
func TestCopyTakesNoSpace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{InlineBytes: 64})
	bucket(t, s, object.Unversioned)
	data := noise(1 << 20)
	put(t, s, "a", string(data))
	for _, key := range []string{"b", "a"} { // onto itself, too
		_, made, err := s.CopyObject(t.Context(), by, object.Version{Bucket: "b", Key: "a"}, object.Put{Bucket: "b", Key: key}, func(object.Info, *object.Put) error { return nil })
		if err != nil || made.ETag.Sum != md5.Sum(data) {
			t.Fatal(made, err)
		}
	}
	files := blobFiles(t, dir)
	if len(files) != 2 {
		t.Fatalf("files %q", files)
	}
	var infos []os.FileInfo
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	if !os.SameFile(infos[0], infos[1]) {
		t.Error("the copy has bytes of its own")
	}
	if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, got := read(t, s, object.Version{Bucket: "b", Key: "b"}); got != string(data) {
		t.Error("other bytes")
	}
}

// TestNoPlaintextOnDisk looks for the content of encrypted objects in all files.
func TestNoPlaintextOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir, store.Options{InlineBytes: 1000, Keys: keyring{}})
	if err != nil {
		t.Fatal(err)
	}
	bucket(t, s, object.Unversioned)
	if err := s.UpdateBucket(t.Context(), by, "b", func(b *object.Bucket) error {
		b.Encryption = object.Encryption{Algorithm: "AES256"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	const secret = "keep this from readers. "
	for i, n := range []int{10, 100, 20_000} { // in the index, and in files
		key := fmt.Sprint("k", i)
		info := put(t, s, key, strings.Repeat(secret, n))
		if info.Encryption.Algorithm != "AES256" {
			t.Errorf("%+v", info)
		}
		checkRanges(t, s, key, []byte(strings.Repeat(secret, n)))
		if _, err := s.AppendObject(t.Context(), by, object.Put{Bucket: "b", Key: "log", Size: -1}, int64(i*len(secret)), strings.NewReader(secret)); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := s.CopyObject(t.Context(), by, object.Version{Bucket: "b", Key: "k2"}, object.Put{Bucket: "b", Key: "copy"}, func(object.Info, *object.Put) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, got := read(t, s, object.Version{Bucket: "b", Key: "copy"}); got != strings.Repeat(secret, 20_000) {
		t.Error("other bytes")
	}
	f, err := s.Destination("b", by).Create(t.Context(), "report", engine.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, strings.Repeat(secret, 100)); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(t.Context(), [16]byte{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range allFiles(t, dir) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("may read this")) {
			t.Errorf("%s has it in the clear", name)
		}
	}
	again := open(t, dir, store.Options{})
	if _, _, err := again.Open(t.Context(), object.Version{Bucket: "b", Key: "k0"}); !errors.Is(err, object.ErrKMSKey) {
		t.Errorf("without a keyring: %v", err)
	}
}

// TestRestoredArchives: an archived object is a source once it is restored.
func TestRestoredArchives(t *testing.T) {
	start := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	now := start
	opts := quiet(vfs.NewMem())
	opts.Now = func() time.Time { return now }
	s := open(t, "data", opts)
	bucket(t, s, object.Unversioned)
	class := stocktake.Archive
	if _, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: "a", Size: -1, Attributes: object.Attributes{StorageClass: &class}}, strings.NewReader("data")); err != nil {
		t.Fatal(err)
	}
	copied := func() error {
		_, _, err := s.CopyObject(t.Context(), by, object.Version{Bucket: "b", Key: "a"}, object.Put{Bucket: "b", Key: "c"}, func(object.Info, *object.Put) error { return nil })
		return err
	}
	if err := copied(); !errors.Is(err, object.ErrNotRestored) {
		t.Error(err)
	}
	if _, err := s.UpdateObject(t.Context(), by, object.Version{Bucket: "b", Key: "a"}, func(in *object.Info) error {
		in.Restore = object.Restore{Requested: now, Ready: now.Add(time.Minute), Expires: now.Add(10 * time.Minute)}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{0, object.ErrNotRestored}, {time.Minute, nil}, {9 * time.Minute, nil}, {10 * time.Minute, object.ErrNotRestored}} {
		now = start.Add(tt.after)
		if err := copied(); !errors.Is(err, tt.want) {
			t.Errorf("after %v: %v, want %v", tt.after, err, tt.want)
		}
	}
}
