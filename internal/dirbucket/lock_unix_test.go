//go:build linux || darwin

package dirbucket_test

import (
	"errors"
	"testing"

	"github.com/stocktake/stocktake/internal/dirbucket"
)

// If two processes lock a folder, one succeeds. The other can lock it afterwards.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	open := func() *dirbucket.Bucket {
		t.Helper()
		b, err := dirbucket.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := open(), open()
	if err := a.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := b.WithBase("x/").Lock(); !errors.Is(err, dirbucket.ErrLocked) {
		t.Errorf("the second: %v, want %v", err, dirbucket.ErrLocked)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Lock(); err != nil {
		t.Errorf("after the first: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
