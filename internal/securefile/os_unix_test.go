//go:build unix

package securefile

import (
	"io/fs"
	"testing"
)

func TestModeTooOpen(t *testing.T) {
	for _, test := range []struct {
		mode           fs.FileMode
		own, fromRoots bool // whether it is too open as a file of the process's user, and of root's
	}{
		{0o600, false, false},
		{0o400, false, false},
		{0o440, true, false}, // a secret of Kubernetes with fsGroup, a credential of systemd
		{0o640, true, false},
		{0o660, true, true},
		{0o450, true, true},
		{0o444, true, true},
		{0o604, true, true},
	} {
		if got := modeTooOpen(test.mode, false); got != test.own {
			t.Errorf("modeTooOpen(%o, own file) = %v, want %v", test.mode, got, test.own)
		}
		if got := modeTooOpen(test.mode, true); got != test.fromRoots {
			t.Errorf("modeTooOpen(%o, root's file) = %v, want %v", test.mode, got, test.fromRoots)
		}
	}
}
