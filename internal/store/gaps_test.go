package store_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// damagedIndex makes a store of many rows and damages one block of its index. It
// returns the number of rows.
func damagedIndex(t *testing.T, dir string) int {
	t.Helper()
	const n = 20_000
	fill(t, dir, object.Unversioned, uniform(n))
	tables, err := filepath.Glob(filepath.Join(dir, "index", "*.sst"))
	check(t, err)
	largest, size := "", int64(0)
	for _, table := range tables {
		if info, err := os.Stat(table); err == nil && info.Size() > size {
			largest, size = table, info.Size()
		}
	}
	flip(t, largest, size/2)
	return n
}

// One damaged block of the index costs the keys that it holds and no more: reads
// of them fail with an error that is not "no such key", the log names the file,
// everything else works, and an audit finishes.
func TestDamagedBlockOfTheIndex(t *testing.T) {
	dir := t.TempDir()
	n := damagedIndex(t, dir)
	var log bytes.Buffer
	s, err := store.Open(t.Context(), dir, store.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), CacheBytes: 1 << 20})
	check(t, err)
	failed, read := 0, 0
	for o := range uniform(n) {
		if read+failed > 0 && (read+failed)%100 != 0 { // a block holds some hundred rows, and Pebble takes long to say that one is damaged
			read++
			continue
		}
		switch _, err := s.Head(t.Context(), object.Version{Bucket: "b", Key: o.Key}); {
		case err == nil:
			read++
		case errors.Is(err, object.ErrNoSuchKey):
			t.Fatalf("%s: %v", o.Key, err)
		default:
			failed++
		}
	}
	if failed == 0 || failed > 20 {
		t.Errorf("%d reads failed", failed)
	}
	if h := s.Health(); len(h.DamagedIndexes) != 1 || h.Damage() == nil || !strings.Contains(log.String(), h.DamagedIndexes[0]) {
		t.Errorf("health %+v, log: %s", h, log.String())
	}
	_, err = s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: "not there"})
	check(t, err)
	unreadable := 0
	a, err := s.Audit(t.Context(), func(p store.Problem) {
		if strings.Contains(p.Text, "cannot be read") {
			unreadable++
		}
	}, nil)
	check(t, err)
	if lost := int64(n) - a.Versions; lost <= 0 || lost > 1000 || unreadable != 1 {
		t.Errorf("the audit saw %d of %d rows and %d gaps", a.Versions, n, unreadable)
	}
	check(t, s.Close())
}
