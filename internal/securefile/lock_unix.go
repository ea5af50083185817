//go:build unix

package securefile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func lock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func tooOpen(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
