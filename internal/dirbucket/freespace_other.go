//go:build !linux && !darwin

package dirbucket

// freeSpace returns -1: it is unknown on this system.
func freeSpace(string) (int64, error) { return -1, nil }
