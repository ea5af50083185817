package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ErrScrub reports a scrub that did not end; its text says why. The next one
// continues where it stopped.
var ErrScrub = errors.New("the scrub failed")

// ScrubOptions tune a scrub. The zero value uses the server's rate.
type ScrubOptions struct {
	BytesPerSecond int64              // bytes a second at most; 0: the server's own rate; negative: no limit
	Restart        bool               // begin at the first object, not where an earlier scrub was interrupted
	Problem        func(ScrubProblem) // called for the first 1,000 damaged objects; nil: never
	Progress       func(Scrub)        // is called now and then; nil: never
}

// A Scrub holds the counts of a scrub.
type Scrub struct {
	Objects   int64 `json:"objects"`   // versions and parts of uploads that were read
	Bytes     int64 `json:"bytes"`     // of them
	Damaged   int64 `json:"damaged"`   // of the objects
	Unchecked int64 `json:"unchecked"` // objects that cannot be checked
}

// A ScrubProblem is a damaged object.
type ScrubProblem struct {
	Subject string `json:"subject"` // which object of which bucket
	Text    string `json:"text"`    // what is wrong
}

type scrubState struct {
	Scrub
	Number    int64          `json:"number"`
	Running   bool           `json:"running"`
	Described int            `json:"described"`
	Problems  []ScrubProblem `json:"problems"`
	Error     string         `json:"error"`
}

// Scrub makes the server read all stored bytes and compare them with their checksums, and returns
// at the end of the scrub. If a scrub is already running, Scrub watches it from its beginning, or
// returns an [*AdminError] of status 409 if opts ask for another rate or a restart. If ctx ends
// first, the server continues. The error is ErrScrub if the server could not end the scrub, not for
// damaged objects.
func (a *Admin) Scrub(ctx context.Context, opts ScrubOptions) (Scrub, error) {
	q := url.Values{}
	if opts.BytesPerSecond != 0 {
		q.Set("rate", strconv.FormatInt(max(opts.BytesPerSecond, 0), 10))
	}
	if opts.Restart {
		q.Set("restart", "true")
	}
	var state scrubState
	if err := a.call(ctx, http.MethodPost, "scrub", q, &state); err != nil {
		return Scrub{}, err
	}
	number, seen := state.Number, 0
	for wait := 10 * time.Millisecond; ; {
		if state.Number != number {
			return Scrub{}, &scrubError{"another scrub has started since, so its result is unknown"}
		}
		for _, p := range state.Problems {
			if seen++; opts.Problem != nil {
				opts.Problem(p)
			}
		}
		if opts.Progress != nil {
			opts.Progress(state.Scrub)
		}
		switch more := len(state.Problems) > 0 && seen < state.Described; {
		case more: // another page is there
		case state.Running:
			select {
			case <-ctx.Done():
				return state.Scrub, ctx.Err()
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
		case state.Error != "":
			return state.Scrub, &scrubError{state.Error}
		default:
			return state.Scrub, nil
		}
		state = scrubState{}
		if err := a.call(ctx, http.MethodGet, "scrub", url.Values{"after": {strconv.Itoa(seen)}}, &state); err != nil {
			return Scrub{}, err
		}
	}
}

type scrubError struct{ text string }

func (e *scrubError) Error() string        { return ErrScrub.Error() + ": " + e.text }
func (e *scrubError) Is(target error) bool { return target == ErrScrub }
