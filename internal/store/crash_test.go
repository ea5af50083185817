package store_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// quiet returns the options of a store on fsys that keeps only tiny objects in its index.
func quiet(fsys vfs.FS) store.Options {
	return store.Options{FS: fsys, InlineBytes: 64, CacheBytes: 1 << 20, Log: slog.New(slog.DiscardHandler)}
}

// crashFS is a disk that can crash at any moment. MemFS.Link locks twice for
// reading, which two at once must not do while a clone waits in between.
type crashFS struct {
	*vfs.MemFS
	links sync.RWMutex
}

func (fs *crashFS) Link(from, to string) error {
	fs.links.RLock()
	defer fs.links.RUnlock()
	return fs.MemFS.Link(from, to)
}

func (fs *crashFS) crash(cfg vfs.CrashCloneCfg) *vfs.MemFS {
	fs.links.Lock()
	defer fs.links.Unlock()
	return fs.CrashClone(cfg)
}

// step i of a writer: what its key holds after it. Some steps delete.
func stepData(i int64) string {
	switch i % 5 {
	case 0:
		return ""
	case 1:
		return strings.Repeat("source", 20)
	}
	return fmt.Sprintf("%d.%s", i, strings.Repeat("x", int(i%3)*50))
}

func takeStep(t *testing.T, s *store.Store, key string, i int64) error {
	ctx, data := t.Context(), stepData(i)
	p := object.Put{Bucket: "b", Key: key, Size: -1}
	switch i % 5 {
	case 0:
		_, err := s.Delete(ctx, by, object.Version{Bucket: "b", Key: key})
		return err
	case 1:
		_, _, err := s.CopyObject(ctx, by, object.Version{Bucket: "b", Key: "source"}, p, func(object.Info, *object.Put) error { return nil })
		return err
	case 2:
		u, err := s.InitiateUpload(ctx, by, p)
		if err != nil {
			return err
		}
		id := object.UploadID{Bucket: "b", Key: key, ID: u.ID}
		if _, err := s.UploadPart(ctx, by, id, 1, object.Put{Size: -1}, strings.NewReader(data)); err != nil {
			return err
		}
		_, err = s.CompleteUpload(ctx, by, id, object.Completion{})
		return err
	}
	_, err := s.PutObject(ctx, by, p, strings.NewReader(data))
	return err
}

// crashable returns a store on a disk that can crash, with a bucket and the object
// that steps copy.
func crashable(t *testing.T, state object.Versioning) (*store.Store, *crashFS) {
	t.Helper()
	disk := &crashFS{MemFS: vfs.NewCrashableMem()}
	s := open(t, "data", quiet(disk))
	bucket(t, s, state)
	put(t, s, "source", stepData(1))
	return s, disk
}

// TestCrashUnderLoad crashes the machine while many clients write, each to its own
// key. The last acknowledged state of each key must exist, or a later one, and
// nothing else.
func TestCrashUnderLoad(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		s, disk := crashable(t, object.Versioning(round%3))
		const writers = 8
		var started, answered [writers]atomic.Int64
		var stop atomic.Bool
		var wg sync.WaitGroup
		steps, enough := 1+rng.Int64N(60), make(chan struct{})
		for w := range writers {
			wg.Go(func() {
				for i := int64(1); !stop.Load(); i++ {
					started[w].Store(i)
					if err := takeStep(t, s, fmt.Sprint("key", w), i); err != nil {
						t.Error(err)
						return
					}
					if answered[w].Store(i); w == 0 && i == steps {
						close(enough)
					}
				}
			})
		}
		<-enough
		var from, to [writers]int64
		for w := range writers {
			from[w] = answered[w].Load()
		}
		crashed := disk.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
		for w := range writers {
			to[w] = started[w].Load()
		}
		stop.Store(true)
		wg.Wait()

		after := open(t, "data", quiet(crashed))
		for w := range writers {
			checkStep(t, after, fmt.Sprint("key", w), from[w], to[w])
		}
		checkWhole(t, after, crashed)
	}
}

// checkStep checks that key has the state after one of the steps from to to.
func checkStep(t *testing.T, s *store.Store, key string, from, to int64) {
	t.Helper()
	data := ""
	info, c, err := s.Open(t.Context(), object.Version{Bucket: "b", Key: key})
	switch {
	case errors.Is(err, object.ErrNoSuchKey):
	case err != nil:
		t.Errorf("%s after steps %d to %d: %v", key, from, to, err)
		return
	default:
		defer c.Close()
		r, err := c.Range(0, info.Size)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		data = string(b)
	}
	for i := from; i <= to; i++ {
		if stepData(i) == data {
			return
		}
	}
	t.Errorf("%s holds %.10q, which is none of steps %d to %d", key, data, from, to)
}

// checkWhole checks that the store agrees with itself: every version can be
// read, the statistics are their sum, and there is no other file.
func checkWhole(t *testing.T, s *store.Store, fsys vfs.FS) {
	t.Helper()
	var want object.BucketStat
	files := 0
	q := object.ListQuery{Bucket: "b", Max: 1000, Versions: true}
	for more := true; more; {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if e.IsDeleteMarker {
				want.DeleteMarkers++
				continue
			}
			want.Objects[e.StorageClass]++
			want.Bytes[e.StorageClass] += e.Size
			if e.Size > 64 {
				files++
			}
			if _, data := read(t, s, object.Version{Bucket: "b", Key: e.Key, ID: e.VersionID}); int64(len(data)) != e.Size {
				t.Errorf("%q %s has %d bytes, want %d", e.Key, e.VersionID, len(data), e.Size)
			}
		}
		more, q.After, q.AfterVersion = page.Truncated, page.NextAfter, page.NextAfterVersion
	}
	uploads, err := s.UploadList(t.Context(), object.UploadQuery{Bucket: "b", Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		want.Uploads++
		_, parts, _, err := s.Parts(t.Context(), object.UploadID{Bucket: "b", Key: u.Key, ID: u.ID}, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if p.Size > 64 {
				files++
			}
		}
	}
	got, err := s.BucketStat(t.Context(), "b")
	got.LastModified = want.LastModified
	if err != nil || got != want {
		t.Errorf("statistics %+v, want %+v: %v", got, want, err)
	}
	s.Settle()
	if have := append(memFiles(t, fsys, "data/blobs"), memFiles(t, fsys, "data/tmp")...); len(have) != files {
		t.Errorf("blob files %q, want %d", have, files)
	}
}

// TestEachFileOperationFailsOnce lets every operation on a blob file fail in
// turn. A write that fails changes nothing, one that succeeds is whole, and after
// the next start no unreferenced file exists.
func TestEachFileOperationFailsOnce(t *testing.T) {
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		var armed atomic.Bool
		var count atomic.Int64
		flaky := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if armed.Load() && !strings.Contains(op.Path, "index") && count.Add(1) == n {
				return errorfs.ErrInjected
			}
			return nil
		}))
		s := open(t, "data", quiet(flaky))
		bucket(t, s, object.Unversioned)
		put(t, s, "k", strings.Repeat("1", 100))
		failed := 0
		for i, data := range []string{strings.Repeat("2", 100), strings.Repeat("3", 1<<20), "4", strings.Repeat("5", 100)} {
			_, before := read(t, s, object.Version{Bucket: "b", Key: "k"})
			want := data
			armed.Store(true)
			_, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: "k", Size: -1}, strings.NewReader(data))
			armed.Store(false)
			if err != nil {
				failed++
				want = before
			}
			if _, got := read(t, s, object.Version{Bucket: "b", Key: "k"}); got != want {
				t.Fatalf("operation %d failed: put %d returned %v, and then there was %.10q", n, i, err, got)
			}
			armed.Store(true)
			_, _, err = s.CopyObject(t.Context(), by, object.Version{Bucket: "b", Key: "k"}, object.Put{Bucket: "b", Key: "copy"}, func(object.Info, *object.Put) error { return nil })
			armed.Store(false)
			if err != nil {
				failed++
				continue
			}
			if _, got := read(t, s, object.Version{Bucket: "b", Key: "copy"}); got != want {
				t.Fatalf("operation %d failed: copy %d read %.10q", n, i, got)
			}
		}
		done := count.Load() < n
		if failed > 1 {
			t.Errorf("operation %d failed, and with it %d writes", n, failed)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkWhole(t, open(t, "data", quiet(flaky)), mem)
		if done {
			if n < 10 {
				t.Errorf("only %d operations", n)
			}
			return
		}
	}
}

// TestConcurrentBucketDeletion puts objects into a bucket that others delete and
// create again: an object is in the bucket that existed when it was acknowledged, or
// it is refused.
func TestConcurrentBucketDeletion(t *testing.T) {
	s := open(t, "data", quiet(vfs.NewMem()))
	bucket(t, s, object.Unversioned)
	var wg sync.WaitGroup
	var stop atomic.Bool
	for w := range 4 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				key := fmt.Sprint(w)
				_, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: key, Size: -1}, strings.NewReader("data"))
				if errors.Is(err, stocktake.ErrNoSuchBucket) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Head(t.Context(), object.Version{Bucket: "b", Key: key}); err != nil {
					t.Errorf("answered, then %v", err)
				}
				if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: key}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	deleted := 0
	for range 2000 {
		err := s.DeleteBucket(t.Context(), by, "b")
		switch {
		case err == nil:
			deleted++
			bucket(t, s, object.Unversioned)
		case !errors.Is(err, object.ErrBucketNotEmpty):
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
	if stat, err := s.BucketStat(t.Context(), "b"); err != nil || stat.Objects[0] != 0 || stat.Bytes[0] != 0 {
		t.Errorf("statistics %+v: %v", stat, err)
	}
	t.Logf("deleted %d times", deleted)
}

// TestReadersSeeOneVersionWhole overwrites an object while others read it.
func TestReadersSeeOneVersionWhole(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{InlineBytes: 64})
	bucket(t, s, object.Unversioned)
	put(t, s, "k", "0")
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				info, data := read(t, s, object.Version{Bucket: "b", Key: "k"})
				if int64(len(data)) != info.Size || strings.Trim(data, data[:1]) != "" {
					t.Errorf("size %d, read %d bytes", info.Size, len(data))
				}
			}
		})
	}
	for i := range 100 {
		put(t, s, "k", strings.Repeat(string(rune('a'+i%26)), 1+i%3*70))
	}
	stop.Store(true)
	wg.Wait()
}

func TestDestination(t *testing.T) {
	for _, v := range []object.Versioning{object.Unversioned, object.Enabled, object.Suspended} {
		mem := vfs.NewMem()
		s := open(t, "data", quiet(mem))
		bucket(t, s, v)
		d := s.Destination("b", by)
		mine := put(t, s, "r/1", "mine")
		for _, data := range []string{"", "small", strings.Repeat("large", 100)} {
			f, err := d.Create(t.Context(), "r/1", engine.FileOptions{ContentType: "text/csv"})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Abort()
			for _, part := range []string{data[:len(data)/2], data[len(data)/2:]} {
				if n, err := io.WriteString(f, part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := f.Commit(t.Context(), [16]byte{7}); err != nil {
				t.Fatal(err)
			}
			info, got := read(t, s, object.Version{Bucket: "b", Key: "r/1"})
			if got != data || info.ETag.Sum != [16]byte{7} || info.Headers.ContentType != "text/csv" {
				t.Errorf("%q: %+v", got, info)
			}
		}
		f, err := d.Create(t.Context(), "r/1", engine.FileOptions{Exclusive: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(t.Context(), [16]byte{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("exclusive: %v", err)
		}
		if err := d.Remove(t.Context(), "r/1"); err != nil {
			t.Error(err)
		}
		r, err := d.Open(t.Context(), "r/1")
		if v == object.Enabled { // an earlier version of another writer is current again
			if err != nil {
				t.Error(err)
			} else if b, _ := io.ReadAll(r); string(b) != "mine" {
				t.Errorf("after Remove: %q, want the version %s", b, mine.VersionID)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after Remove: %v", err)
		}
		checkWhole(t, s, mem)
	}
}
