package store_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// A copy of a backup, or of the folder of a stopped server, is refused if any file of the index is
// missing or cut off, and opens once the file is there.
func TestIndexLacksFile(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	bucket(t, s, object.Unversioned)
	put(t, s, "a", "data")
	backup := t.TempDir()
	check(t, s.Backup(t.Context(), backup))

	stopped := t.TempDir()
	for _, key := range []string{"a", "b"} { // twice, so that the index has tables
		s, err := store.Open(t.Context(), stopped, store.Options{})
		check(t, err)
		if key == "a" {
			bucket(t, s, object.Unversioned)
		}
		put(t, s, key, "data")
		check(t, s.Close())
	}

	for from, whole := range map[string]string{"backup": backup, "stopped": stopped} {
		entries, err := os.ReadDir(filepath.Join(whole, "index"))
		check(t, err)
		tried := 0
		for _, e := range entries {
			if e.Name() == "LOCK" || e.Name() == "files.json" {
				continue
			}
			tried++
			for _, harm := range []struct {
				name string
				do   func(path string) error
			}{
				{"missing", os.Remove},
				{"cut off", func(path string) error { return os.Truncate(path, 1) }},
			} {
				dir := t.TempDir()
				check(t, os.CopyFS(dir, os.DirFS(whole)))
				path := filepath.Join(dir, "index", e.Name())
				good, err := os.ReadFile(path)
				check(t, err)
				if len(good) == 0 && harm.name == "cut off" {
					continue
				}
				check(t, harm.do(path))
				_, repairErr := store.Repair(t.Context(), dir, slog.New(slog.DiscardHandler), func(store.Problem) {})
				_, err = store.Open(t.Context(), dir, store.Options{})
				for _, err := range []error{err, repairErr} {
					if !errors.Is(err, store.ErrIncompleteIndex) || !strings.Contains(err.Error(), "copy or restore the whole folder again") {
						t.Fatalf("%s: %s is %s: %v", from, e.Name(), harm.name, err)
					}
				}
				check(t, os.WriteFile(path, good, 0o600))
				restored := open(t, dir, store.Options{})
				if _, got := read(t, restored, object.Version{Bucket: "b", Key: "a"}); got != "data" {
					t.Errorf("%s: %q", from, got)
				}
			}
		}
		if tried < 5 {
			t.Errorf("%s: %d files", from, tried)
		}
	}
}

// The list of a stopped server does not bind a server that was killed, one of an earlier version,
// which leaves the list as it was, or an operator who removes the list.
func TestIndexFilesAreOld(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "index", "files.json")
	s, err := store.Open(t.Context(), dir, store.Options{})
	check(t, err)
	bucket(t, s, object.Unversioned)
	check(t, s.Close())
	old, err := os.ReadFile(list)
	check(t, err)
	for i := range 3 {
		s, err := store.Open(t.Context(), dir, store.Options{})
		if err != nil {
			t.Fatal(i, err)
		}
		put(t, s, "a", "data")
		check(t, s.Close())
		check(t, os.WriteFile(list, old, 0o600))
	}
	check(t, os.WriteFile(list, old[:len(old)/2], 0o600))
	if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.Is(err, store.ErrIncompleteIndex) {
		t.Error(err)
	}
	check(t, os.Remove(list))
	open(t, dir, store.Options{})
}

// The folder of a killed server is refused if it lacks its newest log, and opens if the log is there
// or no longer needed.
func TestKilledIndexLacksLog(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir, store.Options{})
	check(t, err)
	bucket(t, s, object.Unversioned)
	put(t, s, "a", "old")
	check(t, s.Close())
	s = open(t, dir, store.Options{})
	put(t, s, "a", "new")

	copied := func() (string, []string) {
		to := t.TempDir()
		check(t, os.CopyFS(to, os.DirFS(dir)))
		logs, err := filepath.Glob(filepath.Join(to, "index", "*.log"))
		check(t, err)
		if len(logs) == 0 {
			t.Fatal("no logs")
		}
		return to, logs // sorted
	}
	whole, _ := copied()
	if _, got := read(t, open(t, whole, store.Options{}), object.Version{Bucket: "b", Key: "a"}); got != "new" {
		t.Errorf("the whole copy has %q", got)
	}
	lacking, logs := copied()
	newest := logs[len(logs)-1]
	check(t, os.Remove(newest))
	_, err = store.Open(t.Context(), lacking, store.Options{})
	_, repairErr := store.Repair(t.Context(), lacking, slog.New(slog.DiscardHandler), func(store.Problem) {})
	for _, err := range []error{err, repairErr} {
		if !errors.Is(err, store.ErrIncompleteIndex) || !strings.Contains(err.Error(), filepath.Base(newest)) {
			t.Fatal("without the newest log:", err)
		}
	}

	// The changes of that log go to tables, while files.json still names it.
	check(t, store.Flush(s))
	flushed, logs := copied()
	for _, log := range logs {
		if filepath.Base(log) == filepath.Base(newest) {
			check(t, os.Remove(log))
		}
	}
	if _, got := read(t, open(t, flushed, store.Options{}), object.Version{Bucket: "b", Key: "a"}); got != "new" {
		t.Errorf("without a log that is not needed: %q", got)
	}

	check(t, s.Checkpoint())
	lacking, logs = copied()
	check(t, os.Remove(logs[len(logs)-1]))
	if _, err := store.Open(t.Context(), lacking, store.Options{}); !errors.Is(err, store.ErrIncompleteIndex) {
		t.Error("without the log that the checkpoint noted:", err)
	}
}
