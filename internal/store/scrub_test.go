package store_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// scrubbed makes a store with an object of each kind of content. It returns the
// blob file of each key that has one.
func scrubbed(t *testing.T, dir string) (*store.Store, map[string]string) {
	t.Helper()
	s := open(t, dir, store.Options{Keys: keyring{}, Log: slog.New(slog.DiscardHandler)})
	bucket(t, s, object.Unversioned)
	files, seen := map[string]string{}, map[string]bool{}
	add := func(key string, write func() error) {
		check(t, write())
		for _, f := range blobFiles(t, dir) {
			if !seen[f] {
				seen[f], files[key] = true, f
			}
		}
	}
	sealed := object.Attributes{Encryption: &object.Encryption{Algorithm: "AES256"}}
	putAs := func(key string, size int, a object.Attributes) {
		add(key, func() error {
			_, err := s.PutObject(t.Context(), by, object.Put{Bucket: "b", Key: key, Size: int64(size), Attributes: a}, strings.NewReader(string(noise(size))))
			return err
		})
	}
	putAs("inline", 1000, object.Attributes{})
	putAs("file", 100_000, object.Attributes{})
	putAs("sealed", 100_000, sealed)
	putAs("sealed-inline", 1000, sealed)
	up, err := s.InitiateUpload(t.Context(), by, object.Put{Bucket: "b", Key: "upload"})
	check(t, err)
	add("upload", func() error {
		_, err := s.UploadPart(t.Context(), by, object.UploadID{Bucket: "b", Key: "upload", ID: up.ID}, 1, object.Put{Size: 100_000}, strings.NewReader(string(noise(100_000))))
		return err
	})
	return s, files
}

func TestScrubFindsDamage(t *testing.T) {
	dir := t.TempDir()
	s, files := scrubbed(t, dir)
	scrub := func() (problems []string, sum store.Scrub) {
		t.Helper()
		sum, err := s.Scrub(t.Context(), store.ScrubOptions{Problem: func(p store.Problem) { problems = append(problems, p.String()) }})
		check(t, err)
		return problems, sum
	}
	if problems, sum := scrub(); len(problems) > 0 || sum.Objects != 5 || sum.Bytes != 302_000 {
		t.Errorf("nothing is damaged: %q, %+v", problems, sum)
	}
	if at, err := s.Scrubbed(); err != nil || time.Since(at) > time.Minute {
		t.Errorf("scrubbed at %v, %v", at, err)
	}
	flip(t, files["file"], 99_999)
	flip(t, files["sealed"], 0)
	check(t, os.Remove(files["upload"]))
	problems, sum := scrub()
	all := strings.Join(problems, "\n")
	if len(problems) != 3 || sum.Damaged != 3 {
		t.Errorf("%+v:\n%s", sum, all)
	}
	for _, want := range []string{`object "file" of bucket b: stored bytes are damaged`, `object "sealed" of bucket b: stored bytes are damaged`, `object "upload" of bucket b: its bytes are missing`} {
		if !strings.Contains(all, want) {
			t.Errorf("no problem %q:\n%s", want, all)
		}
	}
}

// The files of encrypted objects are checked even without the keys.
func TestScrubWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	s, files := scrubbed(t, dir)
	check(t, s.Close())
	flip(t, files["sealed"], 50_000)
	s = open(t, dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	sum, err := s.Scrub(t.Context(), store.ScrubOptions{})
	if err != nil || sum.Damaged != 1 || sum.Unchecked != 1 || sum.Objects != 4 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// An interrupted scrub continues where it was, also in another process.
func TestScrubContinues(t *testing.T) {
	dir := t.TempDir()
	s, _ := scrubbed(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, err := s.Scrub(ctx, store.ScrubOptions{BytesPerSecond: 1 << 40, Problem: func(p store.Problem) { t.Error(p) }, Progress: nil})
	check(t, err)
	// Interrupt it in the middle of the second object: "inline" comes after "file".
	slow, stop := context.WithCancel(t.Context())
	done := make(chan error)
	var second store.Scrub
	go func() {
		var err error
		second, err = s.Scrub(slow, store.ScrubOptions{BytesPerSecond: 100_000})
		done <- err
	}()
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	check(t, s.Close())
	s = open(t, dir, store.Options{Keys: keyring{}})
	third, err := s.Scrub(t.Context(), store.ScrubOptions{})
	check(t, err)
	if second.Objects+third.Objects != first.Objects {
		t.Errorf("%d objects, then %d; there are %d", second.Objects, third.Objects, first.Objects)
	}
	if again, err := s.Scrub(t.Context(), store.ScrubOptions{}); err != nil || again.Objects != first.Objects {
		t.Errorf("after its end a scrub begins again: %+v, %v", again, err)
	}
}

// A scrub reads no faster than it may.
func TestScrubRate(t *testing.T) {
	dir := t.TempDir()
	s, _ := scrubbed(t, dir)
	check(t, s.Close())
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), dir, store.Options{Keys: keyring{}})
		check(t, err)
		defer s.Close()
		start := time.Now()
		sum, err := s.Scrub(t.Context(), store.ScrubOptions{BytesPerSecond: 1000})
		check(t, err)
		if took := time.Since(start); took < time.Duration(sum.Bytes-1000)*time.Millisecond {
			t.Errorf("%d bytes in %v", sum.Bytes, took)
		}
	})
}
