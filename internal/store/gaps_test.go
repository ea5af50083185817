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
	damageLargestTable(t, dir)
	return n
}

// damageLargestTable damages a block in the middle of the largest table of the
// index in dir.
func damageLargestTable(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "index", "*.sst"))
	check(t, err)
	largest, size := "", int64(0)
	for _, table := range tables {
		if info, err := os.Stat(table); err == nil && info.Size() > size {
			largest, size = table, info.Size()
		}
	}
	flip(t, largest, size/2)
}

// One damaged block of the index affects only the keys in it: reads of them fail
// with an error that is not "no such key", the log names the file, everything else
// works, and an audit finishes.
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

// The repair of an index that is not damaged writes nothing, not even a copy that
// it removes again.
func TestRepairOfWholeIndex(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	fill(t, dir, object.Unversioned, uniform(100))
	check(t, os.WriteFile(filepath.Join(dir, "index.repair"), nil, 0o600)) // in the place of the copy
	done, err := store.Repair(t.Context(), dir, log, func(p store.Problem) { t.Error(p) })
	if err != nil || done.Damage != "" || done.Kept < 100 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "index.repair")); err != nil {
		t.Errorf("the place of the copy was used: %v", err)
	}
}

// A repair keeps what can be read and takes the rest from a checkpoint. Afterwards
// the store is whole, and the result lists what is older than before.
func TestRepair(t *testing.T) {
	for _, checkpoint := range []bool{true, false} {
		dir := t.TempDir()
		const n = 20_000
		fill(t, dir, object.Unversioned, uniform(n))
		log := slog.New(slog.DiscardHandler)
		s, err := store.Open(t.Context(), dir, store.Options{Log: log})
		check(t, err)
		put(t, s, "whole", string(noise(70_000)))
		if checkpoint {
			check(t, s.Checkpoint())
		}
		check(t, s.Close())
		// A table that the checkpoint links is damaged in both places. Checkpoints help
		// if the damaged table was rewritten since.
		tables, err := filepath.Glob(filepath.Join(dir, "index", "*.sst"))
		check(t, err)
		for _, table := range tables {
			b, err := os.ReadFile(table)
			check(t, err)
			check(t, os.Remove(table))
			if len(b) > 1<<20 {
				b[len(b)/2] ^= 1
			}
			check(t, os.WriteFile(table, b, 0o600))
		}
		var problems []string
		done, err := store.Repair(t.Context(), dir, log, func(p store.Problem) { problems = append(problems, p.String()) })
		check(t, err)
		if done.Damage == "" || checkpoint != (done.Gaps == 0) || checkpoint != (done.Older > 0) || done.Older > 1000 {
			t.Errorf("checkpoint %v: %+v", checkpoint, done)
		}
		s = open(t, dir, store.Options{Log: log})
		stat, err := s.BucketStat(t.Context(), "b")
		check(t, err)
		if count := sum(stat.Objects[:]); checkpoint && count != n+1 || count <= n-1000 || count > n+1 {
			t.Errorf("checkpoint %v: %d objects, %d problems", checkpoint, count, len(problems))
		}
		if _, data := read(t, s, object.Version{Bucket: "b", Key: "whole"}); data != string(noise(70_000)) {
			t.Error("an object that was not damaged has changed")
		}
		put(t, s, "new", "works")
		check(t, s.Close())
		again, err := store.Repair(t.Context(), dir, log, func(p store.Problem) { t.Error(p) })
		if err != nil || again.Damage != "" {
			t.Errorf("a second repair: %+v, %v", again, err)
		}
	}
}
