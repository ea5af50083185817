//go:build !linux && !darwin

package dirbucket

import "os"

// lock does nothing: this system cannot lock folders.
func lock(*os.File) error { return nil }
