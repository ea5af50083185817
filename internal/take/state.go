package take

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/inventoryxml"
	"github.com/stocktake/stocktake/report"
)

// A state is the progress of a take. It is stored as checkpoint.json next to the
// directories of the reports, and removed when the report is complete.
type state struct {
	Version int       `json:"version"`
	Job     string    `json:"job"`    // a hash: the state of another job is not continued
	Origin  string    `json:"origin"` // for people
	Run     string    `json:"run"`
	Attempt int       `json:"attempt"`
	Started time.Time `json:"started"`

	Plan    *engine.RunPlan      `json:"outline"`
	Results []engine.SliceResult `json:"results"`
	Pending []engine.Slice       `json:"pending"` // slices not done, including those being scanned
}

const stateVersion = 1

// maxState bounds the file, in bytes: 10^10 objects have 10^4 shards of some
// hundred bytes each.
const maxState = 256 << 20

// key returns the key of the state.
func (t *taking) key() string {
	at := report.Location{Prefix: t.job.Configuration.Destination.Prefix, Bucket: t.job.Bucket, Configuration: t.job.Configuration.ID}
	return at.Base() + "checkpoint.json"
}

// identity returns a hash of everything that must be equal when a take is
// continued.
func (t *taking) identity() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %d ", t.job.Origin, t.job.Bucket, t.opts.Limits.Rows)
	_, _ = h.Write(inventoryxml.Append(nil, &t.job.Configuration)) // never fails
	return hex.EncodeToString(h.Sum(nil))
}

// load reads the state of an unfinished take, if there is one.
func (t *taking) load(ctx context.Context) error {
	f, err := t.job.Destination.Open(ctx, t.key())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxState))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	s, err := parseState(raw)
	switch {
	case err != nil && t.opts.Fresh: // save replaces the state
		t.log.Warn("starting over; data files of the unfinished take stay, because its checkpoint cannot be read", "key", t.key(), "err", err)
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", t.key(), err)
	case s.Job != t.identity() && !t.opts.Fresh:
		return fmt.Errorf("%s: %w: %s, started at %s", t.key(), ErrOther, s.Origin, s.Started.Format(time.RFC3339))
	}
	t.state = s
	return nil
}

// parseState parses a stored state. All errors are ErrUnreadable, wrapped.
func parseState(raw []byte) (s state, err error) {
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if s.Version != stateVersion || s.Plan == nil {
		return s, fmt.Errorf("%w: its version is %d", ErrUnreadable, s.Version)
	}
	return s, nil
}

// save stores the state, also after ctx has ended.
func (t *taking) save(ctx context.Context) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	t.mu.Lock()
	raw, err := json.Marshal(&t.state)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	f, err := t.job.Destination.Create(ctx, t.key(), engine.FileOptions{ContentType: "application/json", Encryption: t.job.Configuration.Destination.Encryption})
	if err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	defer f.Abort()
	if _, err := f.Write(raw); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if err := f.Commit(ctx, md5.Sum(raw)); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}
