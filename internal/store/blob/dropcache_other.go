//go:build !linux

package blob

// dropCache does nothing on systems without such advice.
func dropCache(uintptr, int64, int64) {}
