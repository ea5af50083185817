//go:build unix

package listen

import "syscall"

// DefaultConnections returns half of the file descriptors that the process may
// have open, at most 10,000: the other half is for files.
func DefaultConnections() int {
	const most = 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return int(min(most, max(limit.Cur/2, 16)))
}
