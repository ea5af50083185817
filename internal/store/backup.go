package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrBackupRunning reports that another backup is in progress.
var ErrBackupRunning = errors.New("another backup is in progress")

// Backup makes a copy of the store as it is at one instant in dir, a folder of the operating system
// that exists and has no store. Requests are served meanwhile. On the disk of the store it consists
// of hard links and takes no space until objects are deleted or the index changes. After an error
// the files copied so far remain. The error is ErrBackupRunning if another backup is in progress.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if s.ballast == nil {
		return errors.New("a store that is not in the operating system's files cannot be backed up")
	}
	if !s.backup.TryLock() {
		return ErrBackupRunning
	}
	defer s.backup.Unlock()
	// Blobs that the copy of the index names must not be removed before they are
	// copied.
	s.reaper.hold()
	defer s.releaseReaper()
	// While this is held, each blob id has a record in the index. So the copy has a
	// row or a record for each blob up to last, and names none after it.
	s.intents.Lock()
	last := s.seq.Load()
	s.ballast.copying.Store(true)
	err := s.db.Checkpoint(filepath.Join(dir, "index"), pebble.WithFlushedWAL())
	s.ballast.copying.Store(false)
	s.intents.Unlock()
	if err != nil {
		return fmt.Errorf("copy the index: %w", err)
	}
	if err := os.Chmod(filepath.Join(dir, "index"), 0o700); err != nil {
		return err
	}
	if err := writeIndexFiles(vfs.Default, filepath.Join(dir, "index")); err != nil {
		return fmt.Errorf("list the files of the index: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs"), 0o700); err != nil {
		return err
	}
	root := filepath.Dir(s.ballast.path)
	made := map[string]bool{}
	err = s.blobs.Each(func(id uint64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if id > last {
			return nil
		}
		from := s.blobs.Path(id)
		name, err := filepath.Rel(root, from)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if folder := filepath.Dir(to); !made[folder] {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				return err
			}
			made[folder] = true
		}
		err = linkOrCopy(from, to)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a write that failed
		}
		return err
	}, func(string) error { return nil })
	if err != nil {
		return fmt.Errorf("copy the blobs: %w", err)
	}
	for folder := range made {
		for ; len(folder) > len(dir); folder = filepath.Dir(folder) {
			if err := syncFolder(folder); err != nil {
				return err
			}
		}
	}
	return syncFolder(dir)
}

// linkOrCopy makes to a hard link to the file from, or a copy on another disk.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
