package measure

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// Writable makes a folder, unless it is there, and reports an error if files
// cannot be made in it.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &os.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}

// Settle returns when the disk has everything that was written to the file system of
// dir until now, and the system has the memory that this process no longer needs.
// Seeding a store leaves gigabytes of both, whose write-back and release would
// otherwise disturb the first measurement.
func Settle(dir string) (err error) {
	debug.FreeOSMemory()
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if err = unix.Syncfs(int(f.Fd())); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("syncfs %s: %w", dir, err)
	}
	return nil
}
