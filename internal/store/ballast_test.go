package store

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stocktake/stocktake/internal/object"
)

// sizedDisk is a file system in memory that reports its size.
type sizedDisk struct {
	vfs.FS
	avail atomic.Uint64
}

const sizedTotal = 20 << 20 // so that the ballast has 1 MiB

func (d *sizedDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.avail.Load(), TotalBytes: sizedTotal}, nil
}

// TestBallastFileOperationsFail lets every operation on the ballast fail in turn,
// while it is made, removed, and made again. The ballast is either whole or ignored,
// and the next attempt succeeds.
func TestBallastFileOperationsFail(t *testing.T) {
	for n := int64(1); ; n++ {
		disk := &sizedDisk{FS: vfs.NewMem()}
		disk.avail.Store(sizedTotal)
		var count atomic.Int64
		flaky := errorfs.Wrap(disk, errorfs.InjectorFunc(func(errorfs.Op) error {
			if count.Add(1) == n {
				return errorfs.ErrInjected
			}
			return nil
		}))
		synctest.Test(t, func(t *testing.T) {
			newOne := func() *ballast {
				b := findBallast(flaky, "", slog.New(slog.DiscardHandler))
				b.create = func(path string) (syncedFile, error) { return flaky.Create(path, vfs.WriteCategoryUnspecified) }
				b.hold()
				return b
			}
			check := func(b *ballast, when string) {
				info, err := disk.Stat(b.path)
				if b.held.Load() && (err != nil || info.Size() != sizedTotal/20) {
					t.Errorf("operation %d failed, %s: the ballast counts, its file: %v", n, when, err)
				}
			}
			b := newOne()
			check(b, "made")
			b.release()
			check(b, "given back")
			time.Sleep(ballastRetry)
			b.hold()
			check(b, "made again")
			b = newOne() // after a restart
			time.Sleep(ballastRetry)
			b.hold()
			if check(b, "after a restart"); !b.held.Load() {
				t.Errorf("operation %d failed, and there never was a ballast again", n)
			}
			disk.avail.Store(0)
			b = newOne()
			if _, err := disk.Stat(b.path); count.Load() < n && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a full disk keeps its ballast: %v", err)
			}
		})
		if count.Load() < n {
			if n < 10 {
				t.Errorf("only %d operations", n)
			}
			return
		}
	}
}

// Without a ballast and without room, a store neither opens nor deletes.
func TestNoRoom(t *testing.T) {
	disk := &sizedDisk{FS: vfs.NewMem()}
	disk.avail.Store(minLog - 1)
	b := newBallast(disk, "", slog.New(slog.DiscardHandler))
	if err := b.roomToOpen(); !errors.Is(err, object.ErrDiskFull) {
		t.Errorf("opens: %v", err)
	}
	if err := (&Store{ballast: b}).mayDelete(); !errors.Is(err, object.ErrDiskFull) {
		t.Errorf("deletes: %v", err)
	}
	disk.avail.Store(minLog)
	if err := errors.Join(b.roomToOpen(), (&Store{ballast: b}).mayDelete()); err != nil {
		t.Error(err)
	}
}

// While the index is copied, a full disk may be that of the copy: the ballast stays unless the disk
// of the store is full as well.
func TestBallastStaysIfAnotherDiskIsFull(t *testing.T) {
	disk := &sizedDisk{FS: vfs.NewMem()}
	disk.avail.Store(sizedTotal)
	b := findBallast(disk, "", slog.New(slog.DiscardHandler))
	b.create = func(path string) (syncedFile, error) { return disk.Create(path, vfs.WriteCategoryUnspecified) }
	b.hold()
	b.copying.Store(true)
	if b.release(); !b.held.Load() {
		t.Error("the disk of a copy is full, and the ballast is gone")
	}
	disk.avail.Store(minLog - 1)
	if b.release(); b.held.Load() {
		t.Error("both disks are full, and the ballast is held")
	}
}
