package securefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrUnsafeFolder reports a data folder in which other users may have placed files, which could
// control what is written, removed or trusted there.
var ErrUnsafeFolder = errors.New("the folder is not safe")

// CheckFolder refuses a data folder that is writable by everyone, is owned by another user, or has
// symbolic links, because cleaning tmp would remove files elsewhere. The error is ErrUnsafeFolder
// and says what to do. A folder that does not exist is safe. The path itself may lead through
// links.
func CheckFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	}
	if err := checkAccess(dir, info); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link: remove it, or replace it by its target: %w", path, ErrUnsafeFolder)
		case e.IsDir():
			info, err := e.Info()
			if err != nil {
				return err
			}
			if err := checkAccess(path, info); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkAccess(dir string, info fs.FileInfo) error {
	if writableByAll(info) {
		return fmt.Errorf("%s is writable by everyone: chmod o-w it, or use a new folder inside it: %w", dir, ErrUnsafeFolder)
	}
	if ownedByOther(info) {
		return fmt.Errorf("%s belongs to another user: run as that user, or use another folder: %w", dir, ErrUnsafeFolder)
	}
	return nil
}
