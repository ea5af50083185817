package securefile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
}

// tooOpen cannot be told from a mode on Windows, where a file takes the access
// control of its folder.
func tooOpen(fs.FileInfo) bool { return false }
