package blob

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stocktake/stocktake/internal/object"
)

// random returns n pseudo-random bytes, the same for the same n.
func random(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = src.Read(b) // never fails
	return b
}

func write(t *testing.T, d *Dir, id uint64, data []byte) error {
	t.Helper()
	w, err := d.Create(id, false)
	if err != nil {
		return err
	}
	if _, err = w.Write(data); err == nil {
		err = w.Sync()
	}
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		w.Abort()
	}
	return err
}

// TestOperationsFailOnce lets every file operation of writing a blob and linking
// it to another fail in turn. A blob whose writer did not fail is whole. One that
// failed has a name only if its writer says that it may, and can be removed.
func TestOperationsFailOnce(t *testing.T) {
	data := random(200_000)
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		d, err := Open(mem, "data", false)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(t, d, 1, data); err != nil {
			t.Fatal(err)
		}
		var count atomic.Int64
		d.fs = errorfs.Wrap(mem, errorfs.InjectorFunc(func(errorfs.Op) error {
			if count.Add(1) == n {
				return errorfs.ErrInjected
			}
			return nil
		}))
		d.folders = map[string]*folder{} // not yet known to be durable
		const other = 1 << 24            // in another folder
		w, err := d.Link(other, 1)
		d.fs = mem
		switch got, readErr := readBlob(d, other, int64(len(data))); {
		case err == nil && !bytes.Equal(got, data):
			t.Fatalf("operation %d failed, the link did not: %d bytes, %v", n, len(got), readErr)
		case err != nil && readErr == nil && !w.Named():
			t.Fatalf("operation %d failed: the link exists, and its writer does not know", n)
		}
		w.Abort()
		if err := d.Remove(other); err != nil {
			t.Fatal(err)
		}
		if got, err := readBlob(d, 1, int64(len(data))); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("operation %d failed: the source has %d bytes, %v", n, len(got), err)
		}
		if count.Load() < n {
			if n < 5 {
				t.Errorf("only %d operations", n)
			}
			return
		}
	}
}

// If the disk is full, the error says so, whichever operation fails.
func TestFullDisk(t *testing.T) {
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		d, err := Open(mem, "data", false)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(t, d, 1, []byte("x")); err != nil {
			t.Fatal(err)
		}
		d.folders = map[string]*folder{}
		var count atomic.Int64
		d.fs = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind != errorfs.OpGetDiskUsage && op.Kind != errorfs.OpRemove && count.Add(1) == n {
				return &fs.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
			}
			return nil
		}))
		err = write(t, d, 1<<24, random(200_000))
		if count.Load() < n {
			var w *Writer
			if w, err = d.Link(1<<25, 1); err != nil {
				w.Abort()
			}
		}
		if count.Load() < n {
			if n < 10 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		if !errors.Is(err, object.ErrDiskFull) {
			t.Errorf("operation %d found the disk full: %v", n, err)
		}
	}
}

// A blob that does not exist cannot be linked, and the link has no name.
func TestLinkOfNothing(t *testing.T) {
	d, err := Open(vfs.NewMem(), "data", false)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := d.Link(2, 1); !errors.Is(err, fs.ErrNotExist) || w.Named() {
		t.Errorf("%v, named: %v", err, w.Named())
	}
}

func readBlob(d *Dir, id uint64, size int64) ([]byte, error) {
	r, err := d.OpenChecked(id, size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	rest, err := r.Range(0, size)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(rest)
}

// onDisk is a folder of the operating system with one blob.
func onDisk(t *testing.T, data []byte) *Dir {
	t.Helper()
	d, err := Open(vfs.Default, t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, d, 1, data); err != nil {
		t.Fatal(err)
	}
	return d
}

// Ranges of many chunks are read correctly, whether the next chunk is filled while one
// is written or afterwards, and also if all large chunks are in use.
func TestLongRanges(t *testing.T) {
	const size = 2<<20 + 12_345
	data := random(size)
	d := onDisk(t, data)
	ranges := func(t *testing.T) {
		for _, off := range []int64{0, 1, 300_000, 1 << 20, size - 1, size} {
			for _, end := range []int64{off, off + 1, 1<<20 + chunkBlocks*BlockSize, size - 1, size} {
				if end < off || end > size {
					continue
				}
				r, err := d.OpenChecked(1, size)
				if err != nil {
					t.Error(err)
					return
				}
				part, err := r.Range(off, end-off)
				if err != nil {
					t.Error(err)
					return
				}
				var got bytes.Buffer
				n, err := part.(io.WriterTo).WriteTo(&got)
				if err != nil || n != end-off || !bytes.Equal(got.Bytes(), data[off:end]) {
					t.Errorf("%d to %d: %d bytes, %v", off, end, n, err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	t.Run("ahead", ranges)
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { ranges(t) })
		}
		wg.Wait()
	})
	t.Run("no large chunk left", func(t *testing.T) {
		var held []*chunk
		for c := largeChunks.get(); c != nil; c = largeChunks.get() {
			held = append(held, c)
		}
		ranges(t)
		for _, c := range held {
			c.put()
		}
	})
	if n := len(largeChunks.used); n != 0 {
		t.Errorf("%d large chunks were not given back", n)
	}
	if n := sending.Load(); n != 0 {
		t.Errorf("%d ranges are counted as being written", n)
	}
}

// brokenWriter takes so many bytes and then fails.
type brokenWriter struct{ left int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, io.ErrClosedPipe
	}
	w.left -= len(p)
	return len(p), nil
}

// If a client leaves in the middle of a read, all its chunks are returned, and the
// file can be closed at once.
func TestWriterFails(t *testing.T) {
	const size = 4 << 20
	d := onDisk(t, random(size))
	for _, after := range []int{0, 1, 300_000, 2 << 20, size - 1} {
		r, err := d.OpenChecked(1, size)
		if err != nil {
			t.Fatal(err)
		}
		part, err := r.Range(0, size)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := part.(io.WriterTo).WriteTo(&brokenWriter{after}); !errors.Is(err, io.ErrClosedPipe) || n != int64(after) {
			t.Errorf("after %d: %d bytes, %v", after, n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(largeChunks.used); n != 0 {
		t.Errorf("%d large chunks were not given back", n)
	}
}

// Damage in a chunk that is filled ahead ends the range no later than at the
// beginning of the chunk, and is reported once.
func TestDamageAhead(t *testing.T) {
	const size, at = 4 << 20, 3<<20 + 5
	data := random(size)
	d := onDisk(t, data)
	path := d.Path(1)
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stored[at] ^= 1
	if err := os.WriteFile(path, stored, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := d.OpenChecked(1, size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	told := 0
	r.OnDamage = func(error) { told++ }
	part, err := r.Range(0, size)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	_, err = part.(io.WriterTo).WriteTo(&got)
	if !errors.Is(err, ErrDamaged) || told != 1 || got.Len() > at || !bytes.HasPrefix(data, got.Bytes()) {
		t.Errorf("%d bytes, told %d times, %v", got.Len(), told, err)
	}
}
