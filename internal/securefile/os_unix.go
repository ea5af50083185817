//go:build unix

package securefile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// Flags of files that are opened by name: a symbolic link in their place is not
// followed, and a named pipe does not make the process wait for a writer.
const (
	noFollow = syscall.O_NOFOLLOW
	noWait   = syscall.O_NONBLOCK
)

func lock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// tooOpen reports whether users other than the owner and root may read or change a file. A file
// owned by root may be readable by a group, unless the process runs as root: Kubernetes and systemd
// pass secrets this way. PostgreSQL has the same rule for its keys.
func tooOpen(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return modeTooOpen(info.Mode().Perm(), ok && st.Uid == 0 && os.Geteuid() != 0)
}

func modeTooOpen(mode fs.FileMode, handed bool) bool {
	if handed {
		return mode&0o037 != 0
	}
	return mode&0o077 != 0
}

func writableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }

// ownedByOther reports whether neither the user of the process nor root owns a
// file. Root may use the folders of others: containers do.
func ownedByOther(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	me := os.Geteuid()
	return ok && me != 0 && st.Uid != 0 && int(st.Uid) != me
}

// ownerID returns the id of the user who owns a file.
func ownerID(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(uint64(st.Uid), 10)
}
