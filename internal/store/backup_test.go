package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// A backup made during writes and deletes is a whole store: an audit finds no
// problem, and every object in it can be read.
func TestBackupUnderLoad(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	bucket(t, s, object.Unversioned)
	large := string(noise(70_000))
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("%d-%d", w, i%20)
				if _, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: key, Size: int64(len(large))}, strings.NewReader(large)); err != nil {
					t.Error(err)
				}
				if _, err := s.Delete(t.Context(), by, object.Version{Bucket: "b", Key: fmt.Sprintf("%d-%d", w, (i+7)%20)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	root := t.TempDir()
	var copies []string
	for i := range 5 {
		dir := filepath.Join(root, fmt.Sprint(i))
		if err := s.Backup(t.Context(), dir); err != nil {
			t.Error(err)
		}
		copies = append(copies, dir)
	}
	close(stop)
	writers.Wait()
	for _, dir := range copies {
		restored := open(t, dir, store.Options{})
		state(t, restored)
		sum, err := restored.Scrub(t.Context(), store.ScrubOptions{Problem: func(p store.Problem) { t.Error(p) }})
		if err != nil {
			t.Error(err)
		}
		t.Logf("%+v", sum)
	}
}

// The journal of a backup made during writes matches its objects: a report from before
// the backup, combined with the later changes in it, equals a report of the backup. Later
// writes to either store do not appear in the other, and the windows of each continue.
func TestBackupOfJournal(t *testing.T) {
	s := open(t, t.TempDir(), store.Options{})
	bucket(t, s, object.Enabled)
	put(t, s, "source", stepData(1))
	_, err := s.Journal().Subscribe(t.Context(), "b", "r", "")
	check(t, err)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := int64(1); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := takeStep(t, s, fmt.Sprint("key", w), i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	tab, at := fullNow(t, s)
	root := t.TempDir()
	var copies []string
	for i := range 3 {
		copies = append(copies, filepath.Join(root, fmt.Sprint(i)))
		check(t, s.Backup(t.Context(), copies[i]))
	}
	close(stop)
	writers.Wait()
	put(t, s, "behind", "the backups")
	for n, dir := range append(copies, "") {
		one := s
		if dir != "" {
			one = open(t, dir, store.Options{})
			if _, problems := audit(t, one); len(problems) > 0 {
				t.Errorf("backup %d: %q", n, problems)
			}
			put(t, one, "in the copy alone", "data")
		}
		var last stocktake.JournalPosition
		for range 2 { // before and after another change
			want, now := fullNow(t, one)
			if now.Sequence <= last.Sequence {
				t.Errorf("backup %d: position %+v after %+v", n, now, last)
			}
			got := tab.clone()
			check(t, follow(t, one, &got, at, now))
			if diff := got.diff(want); diff != "" {
				t.Fatalf("backup %d (-want +got):\n%s", n, diff)
			}
			last = now
			put(t, one, "later", "data")
		}
	}
}

// An index that lacks a file, as after a copy that was interrupted, is refused with what to do.
func TestIncompleteIndex(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} { // the second start writes the log of the first to a table
		s, err := store.Open(t.Context(), dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.CreateBucket(t.Context(), by, object.Bucket{Name: name, Owner: "1"}, false), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	tables, err := filepath.Glob(filepath.Join(dir, "index", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	// A killed server leaves no list of the files.
	if err := errors.Join(os.Remove(tables[0]), os.Remove(filepath.Join(dir, "index", "files.json"))); err != nil {
		t.Fatal(err)
	}
	const want = "a file of the index is missing, so that it cannot be opened or repaired: restore the whole data folder from a backup"
	if s, err := store.Open(t.Context(), dir, store.Options{}); err == nil {
		t.Error("opened", s.Close())
	} else if !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	if _, err := store.Repair(t.Context(), dir, slog.New(slog.DiscardHandler), func(store.Problem) {}); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}
