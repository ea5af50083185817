//go:build linux || darwin

package dirbucket

import (
	"errors"
	"os"
	"syscall"
)

// lock locks a folder until f, its open file, is closed. If the file system cannot lock
// folders, as some network file systems, lock does nothing.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return nil
}
