package systemtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
)

// smallDisk mounts a file system in memory with a size such as 60m. Without the right to mount,
// it skips the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounts a small file system, which needs root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=700,size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// A filler fills a disk.
type filler struct{ path string }

// fill writes until the disk is full.
func (f filler) fill() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for block := make([]byte, 1<<20); len(block) > 0 && err == nil; {
		if _, err = file.Write(block); errors.Is(err, syscall.ENOSPC) {
			block, err = block[:len(block)/2], nil
		}
	}
	return errors.Join(err, file.Close())
}

// keepFull fills space whenever it becomes free, until ctx ends.
func (f filler) keepFull(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if err := f.fill(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f filler) remove() error { return os.RemoveAll(f.path) }

// killsOfOneDisk is how often a server is killed before it gets an empty disk, because the
// versions that its clients make are never removed.
const killsOfOneDisk = 20

// TestKillOnFullDisk kills the server while many clients write to it and another goroutine
// fills the disk, either once or whenever space becomes free. What was answered is kept, and
// what was refused has no effect. The server starts on the full disk, or reports that it
// cannot.
func TestKillOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "96m")
	kills := max(3, rounds(t, killsVariable, 3)/4)
	sum := fullDiskSum{}
	for done := 0; done < kills && !t.Failed(); done += killsOfOneDisk {
		killOnFullDisk(t, disk, min(killsOfOneDisk, kills-done), &sum)
	}
	if kills > killsOfOneDisk && (sum.refused == 0 || sum.refusedStarts == 0 || sum.fullStarts == 0) {
		t.Errorf("the disk was not full often enough: %+v", sum)
	}
	t.Logf("%d kills: %+v", kills, sum)
}

// A fullDiskSum counts the outcomes of a test.
type fullDiskSum struct {
	answered, refused int // requests
	fullStarts        int // on a full disk
	refusedStarts     int // because it was too full
}

func killOnFullDisk(t *testing.T, disk string, kills int, sum *fullDiskSum) {
	t.Helper()
	data := filepath.Join(disk, "data")
	defer func() { check(t, os.RemoveAll(data)) }()
	rest := filler{filepath.Join(disk, "rest")}
	writers := make([]*writer, 4)
	for i := range writers {
		writers[i] = newWriter(i)
		writers[i].mayRefuse = true
	}
	for round := range kills {
		s := sum.start(t, data, rest)
		c := newWire(s)
		if round == 0 {
			makeBuckets(t, c)
		}
		verifyAll(t, c, writers)
		if t.Failed() {
			t.Fatalf("after kill %d\n%s", round, s.Log())
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() {
				if err := w.write(ctx, c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			select {
			case <-time.After(rand.N(100 * time.Millisecond)): // the disk becomes full at any time
			case <-ctx.Done():
			}
			fill := rest.keepFull
			if round%2 == 0 {
				fill = func(context.Context) error { return rest.fill() }
			}
			if err := fill(ctx); err != nil {
				t.Error(err)
			}
		})
		time.AfterFunc(20*time.Millisecond+rand.N(300*time.Millisecond), func() {
			s.Kill()
			cancel()
		})
		wg.Wait()
		c.client.CloseIdleConnections()
		s.Kill()
		if round%3 == 0 { // otherwise the server starts on the full disk
			check(t, rest.remove())
			inspect(t, data)
		}
		if t.Failed() {
			t.Fatalf("at kill %d\n%s", round+1, s.Log())
		}
	}
	check(t, rest.remove())
	s := start(t, data)
	c := newWire(s)
	verifyAll(t, c, writers)
	c.client.CloseIdleConnections()
	check(t, s.Stop())
	inspect(t, data)
	for _, w := range writers {
		sum.answered += w.completed
		sum.refused += w.refused
	}
}

// start starts a server, on the full disk if possible. If the server reports that it cannot
// start, start frees space.
func (sum *fullDiskSum) start(t *testing.T, data string, rest filler) *testserver.Server {
	t.Helper()
	path, err := binary()
	check(t, err)
	_, full := os.Stat(rest.path)
	cfg := testserver.Config{Binary: path, Data: data, Unready: true}
	s, err := testserver.Start(t.Context(), cfg)
	switch {
	case err == nil && full == nil:
		sum.fullStarts++
	case err == nil:
	case full == nil && strings.Contains(err.Error(), "the disk is full"):
		sum.refusedStarts++
		check(t, rest.remove())
		s, err = testserver.Start(t.Context(), cfg)
		check(t, err)
	default:
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if full == nil && rand.N(2) == 0 {
		check(t, rest.remove())
	}
	return s
}
