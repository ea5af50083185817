package blob

import "golang.org/x/sys/unix"

// dropCache tells the system that the bytes of a file from one offset to another
// need not stay in its cache. Pages that the disk does not have yet stay.
func dropCache(fd uintptr, from, to int64) {
	// It is advice, and a file system may ignore it.
	_ = unix.Fadvise(int(fd), from, to-from, unix.FADV_DONTNEED)
}
