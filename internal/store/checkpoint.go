package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// keptCheckpoints is how many checkpoints of the index are kept.
const keptCheckpoints = 3

// checkpointTime is the format of the names of checkpoints.
const checkpointTime = "20060102T150405.000Z"

func checkpointRoot(dir string) string { return filepath.Join(dir, "checkpoints") }

// Checkpoint keeps the present index as hard links, for [Repair], and removes all checkpoints
// except the newest three. It also notes which log of the index is the newest by now.
func (s *Store) Checkpoint() error {
	if s.ballast == nil {
		return nil // the store is not in the operating system's files
	}
	s.listLog()
	root := checkpointRoot(filepath.Dir(s.ballast.path))
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	dir := filepath.Join(root, time.Now().UTC().Format(checkpointTime))
	if err := s.db.Checkpoint(dir+".partial", pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("checkpoint of the index: %w", err)
	}
	if err := errors.Join(os.Chmod(dir+".partial", 0o700), os.Rename(dir+".partial", dir), syncFolder(root)); err != nil {
		return err
	}
	all, err := checkpoints(filepath.Dir(s.ballast.path))
	for _, old := range all[min(len(all), keptCheckpoints):] {
		err = errors.Join(err, os.RemoveAll(old))
	}
	return err
}

// checkpoints returns the folders of the checkpoints of a store, newest first.
func checkpoints(dir string) ([]string, error) {
	entries, err := os.ReadDir(checkpointRoot(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, e := range entries {
		path := filepath.Join(checkpointRoot(dir), e.Name())
		if _, timeErr := time.Parse(checkpointTime, e.Name()); timeErr == nil {
			all = append(all, path)
		} else {
			err = errors.Join(err, os.RemoveAll(path)) // an unfinished one
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all, err
}
