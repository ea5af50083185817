package securefile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const (
	noFollow = 0
	noWait   = 0
)

func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
}

// tooOpen returns false: on Windows a mode does not show who has access, and a
// file inherits the access control of its folder.
func tooOpen(fs.FileInfo) bool       { return false }
func writableByAll(fs.FileInfo) bool { return false }
func ownedByOther(fs.FileInfo) bool  { return false }

// ownerID returns nothing: the owner is not in what os.Stat returns.
func ownerID(fs.FileInfo) string { return "" }
