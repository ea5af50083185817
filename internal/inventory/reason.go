package inventory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/stocktake/stocktake"
)

// An adviser is an error with its own advice, which takes precedence over the advice of this
// package: the code that returned the error knows how to correct it.
type adviser interface {
	error
	Advice() string // such as "create the bucket"; empty: it has none
}

// advice returns what to do about an error.
var advice = []struct {
	err  error
	text string
}{
	{stocktake.ErrNoSuchBucket, "create the bucket, or replace the configuration by one with another destination"},
	{stocktake.ErrAccessDenied, "give the role the right to read the bucket and to write reports to the destination (oss:PutObject)"},
	{syscall.ENOSPC, "free space on the disk of the server, then run it again"},
	{syscall.EDQUOT, "free space on the disk of the server, then run it again"},
	{fs.ErrPermission, "give the server's user write permission on its data folder"},
	{context.DeadlineExceeded, "see whether source and destination can be reached, then run it again"},
	{syscall.EROFS, "find out why the disk of the server cannot be written, then run it again"},
	{syscall.ECONNREFUSED, "see whether source and destination can be reached, then run it again"},
}

// maxReason bounds the stored text of an error, in bytes: it may quote the answer of a foreign
// server.
const maxReason = 1000

// Reason returns why a run of cfg failed and what to do: the advice of the error, if it has a
// method Advice, otherwise that of this package.
func Reason(err error, cfg *stocktake.InventoryConfiguration) string {
	text := strings.ToValidUTF8(strings.NewReplacer("\x00", "", "\n", "; ").Replace(err.Error()), "\uFFFD")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	if a, ok := errors.AsType[adviser](err); ok && a.Advice() != "" {
		return text + ": " + a.Advice()
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			text += ": " + a.text
			break
		}
	}
	if errors.Is(err, stocktake.ErrAccessDenied) && cfg.Destination.RoleARN != "" {
		text += fmt.Sprintf("; the role is %s, the destination %s", cfg.Destination.RoleARN, cfg.Destination.Bucket)
	}
	return text
}

// SkipReason returns why a run was skipped while unfinished had not ended.
func SkipReason(unfinished stocktake.Run) string {
	return fmt.Sprintf("the run due at %s was still %s; if this happens again, schedule the configuration less often, or narrow its filter",
		unfinished.Due.Format(time.RFC3339), unfinished.State)
}
