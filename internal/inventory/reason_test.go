package inventory_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// advised is an error with advice.
type advised struct{ error }

func (advised) Advice() string  { return "turn the key" }
func (a advised) Unwrap() error { return a.error }

func TestReason(t *testing.T) {
	cfg := configuration("daily", daily)
	cfg.Destination.RoleARN = "acs:ram::1:role/writer"
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("lines\nand\x00zeros"), "lines; andzeros"},
		{fmt.Errorf("write: %w", syscall.ENOSPC), "write: no space left on device: free space on the disk of the server, then run it again"},
		{fmt.Errorf("write: %w", syscall.EROFS), "write: read-only file system: find out why the disk of the server cannot be written, then run it again"},
		{stocktake.ErrAccessDenied, "access denied: give the role the right to read the bucket and to write reports to the destination (oss:PutObject); the role is acs:ram::1:role/writer, the destination reports"},
		{fmt.Errorf("scan: %w", advised{errors.New("locked")}), "scan: locked: turn the key"},
		{fmt.Errorf("scan: %w", advised{stocktake.ErrAccessDenied}), "scan: access denied: turn the key"},
		{errors.New(strings.Repeat("x", 2000)), strings.Repeat("x", 1000) + "..."},
	} {
		if got := inventory.Reason(tt.err, &cfg); got != tt.want {
			t.Errorf("the reason of %q is %q, want %q", tt.err, got, tt.want)
		}
	}
}
