package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// ErrBackup reports a backup that failed; its text says why.
var ErrBackup = errors.New("the backup failed")

type backupState struct {
	Folder  string `json:"folder"`
	Running bool   `json:"running"`
	Error   string `json:"error"`
}

// Backup makes the server back up its data folder into dir, an absolute path on the server's
// machine that does not exist, and returns when the backup is complete. If ctx ends first, the
// server continues. The error is ErrBackup if the backup failed.
func (a *Admin) Backup(ctx context.Context, dir string) error {
	var state backupState
	if err := a.call(ctx, http.MethodPost, "backup", url.Values{"to": {dir}}, &state); err != nil {
		return err
	}
	for wait := 10 * time.Millisecond; state.Running; wait = min(2*wait, time.Second) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		if err := a.call(ctx, http.MethodGet, "backup", nil, &state); err != nil {
			return err
		}
	}
	if state.Error != "" || state.Folder != dir {
		return &backupError{state.Error}
	}
	return nil
}

type backupError struct{ text string }

func (e *backupError) Error() string        { return ErrBackup.Error() + ": " + e.text }
func (e *backupError) Is(target error) bool { return target == ErrBackup }
