//go:build linux || darwin

package dirbucket

import (
	"errors"
	"os"
	"syscall"
)

// lock locks a folder until f, which has it open, is closed. Where the system
// cannot lock a folder, as over some networks, nothing is locked.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return nil
}
