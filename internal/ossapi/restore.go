package ossapi

import (
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// A restoreState is how far the restoring of an archived object has come.
type restoreState uint8

const (
	notRestored restoreState = iota
	restoring
	restored
)

func restoreOf(info *object.Info, now time.Time) restoreState {
	r := &info.Restore
	switch {
	case r.Requested.IsZero() || !now.Before(r.Expires):
		return notRestored
	case now.Before(r.Ready):
		return restoring
	}
	return restored
}

// restoreHeader is the value of x-oss-restore; empty if the object was not
// restored.
func restoreHeader(info *object.Info, now time.Time) string {
	switch restoreOf(info, now) {
	case restoring:
		return `ongoing-request="true"`
	case restored:
		return `ongoing-request="false", expiry-date="` + lastModified(info.Restore.Expires) + `"`
	}
	return ""
}
