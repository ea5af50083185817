package systemtest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testserver"
)

// A killedBackup is in progress when its server is killed.
type killedBackup struct {
	dir   string
	still map[string][]byte // objects of the bucket plain that do not change during the backup
	done  chan error
}

// beginBackup puts some objects and begins a backup.
func beginBackup(t *testing.T, s *testserver.Server, c *wire, round int) *killedBackup {
	t.Helper()
	b := &killedBackup{dir: filepath.Join(t.TempDir(), "copy"), still: map[string][]byte{}, done: make(chan error, 1)}
	for _, size := range []int{0, 100, 70_000, 200_000} {
		key, data := fmt.Sprintf("still/%d", size), append(fmt.Appendf(nil, "%d:", round), noise[:size]...)
		c.must(t, to("PUT", "plain", key).with(data))
		b.still[key] = data
	}
	admin := &client.Admin{Endpoint: s.URL(), Region: testserver.Region, AccessKeyID: testserver.AccessKeyID, AccessKeySecret: testserver.AccessKeySecret}
	go func() { b.done <- admin.Backup(t.Context(), b.dir) }()
	return b
}

// check checks, after the server was killed, that the backup is either complete or missing, and
// returns which. It removes the remains.
func (b *killedBackup) check(t *testing.T) bool {
	t.Helper()
	answer := <-b.done
	defer func() {
		for _, dir := range []string{b.dir, b.dir + ".partial"} {
			check(t, os.RemoveAll(dir))
		}
	}()
	if _, err := os.Stat(b.dir); err != nil {
		if answer == nil {
			t.Errorf("a backup that was answered is not there: %v", err)
		}
		return false
	}
	inspect(t, b.dir)
	s, err := store.Open(t.Context(), b.dir, store.Options{CacheBytes: 4 << 20})
	check(t, err)
	defer func() { check(t, s.Close()) }()
	for key, want := range b.still {
		if got, err := contentOf(t, s, key); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes in the backup, %v; want %d", key, len(got), err, len(want))
		}
	}
	for _, name := range []string{"catalog.db", "folder.json"} {
		if info, err := os.Stat(filepath.Join(b.dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s of the backup: %v", name, err)
		}
	}
	return true
}

func contentOf(t *testing.T, s *store.Store, key string) ([]byte, error) {
	t.Helper()
	info, c, err := s.Open(t.Context(), object.Version{Bucket: "plain", Key: key})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := c.Range(0, info.Size)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
