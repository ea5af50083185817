//go:build !linux

package postgres

import "syscall"

// boundSends leaves the limit to the operating system.
func boundSends(string, string, syscall.RawConn) error { return nil }
