//go:build !linux

package blob

// dropCache is for systems that take such advice.
func dropCache(uintptr, int64, int64) {}
