package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// A backup that is made amid writes and deletes is a whole store: an audit finds
// nothing wrong, and every object that it has can be read.
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
