package bucket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

const (
	// patience is how long a store may take to say whether a bucket exists. A person waits
	// meanwhile.
	patience = 5 * time.Second

	// An answer is cached for a while, so that the status of a thousand configurations asks once. A
	// failure is cached for less time, since the fault may be corrected soon.
	goodFor = time.Minute
	badFor  = 5 * time.Second

	// maxAnswers bounds the number of cached names.
	maxAnswers = 10_000
)

// An UnreachableError reports that a store does not answer for a bucket now.
type UnreachableError struct {
	Store, Endpoint string
	Err             error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the store %q (%s) cannot be asked: %v", e.Store, e.Endpoint, e.Err)
}

// Unwrap returns object.ErrUnreachable and the cause.
func (e *UnreachableError) Unwrap() []error { return []error{object.ErrUnreachable, e.Err} }

// Advice returns what to do, for the warnings of a configuration.
func (e *UnreachableError) Advice() string {
	return "runs fail until it can; find out why with stocktake store check " + e.Store
}

// named is a Store with its latest answers.
type named struct {
	Store
	flight singleflight.Group

	mu      sync.Mutex
	answers map[string]answer // by bucket
	silent  answer            // of the store as a whole; nil error: it answers
}

type answer struct {
	until time.Time
	err   error
}

// Reach asks the store of a bucket whether it exists. It returns nil if it does,
// stocktake.ErrNoSuchBucket if not, and an [*UnreachableError] if the store does not answer. It
// takes at most some seconds; answers are cached for a while.
func (r *Registry) Reach(ctx context.Context, name string) error {
	st, there := r.find(name)
	if st == nil {
		_, err := r.Bucket(ctx, name)
		return err
	}
	if a, ok := st.known(there); ok {
		return a.err
	}
	done := st.flight.DoChan(there, func() (any, error) {
		// Other callers share the answer, so the request does not end with the context of the first
		// caller.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return nil, st.learn(there, st.Service.Ask(ctx, there))
	})
	select {
	case got := <-done:
		return got.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// known returns the last answer about a bucket if it is still valid.
func (st *named) known(there string) (answer, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	if st.silent.err != nil && now.Before(st.silent.until) {
		return st.silent, true
	}
	a, ok := st.answers[there]
	return a, ok && now.Before(a.until)
}

// learn caches the answer of the store about a bucket and returns it as an error.
func (st *named) learn(there string, err error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	st.silent = answer{}
	a := answer{now.Add(goodFor), nil}
	switch {
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		a = answer{now.Add(badFor), err}
	case err != nil:
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", patience)
		}
		a = answer{now.Add(badFor), &UnreachableError{st.Name, st.Endpoint, err}}
		if !errors.Is(err, stocktake.ErrAccessDenied) { // that may concern only this bucket
			st.silent = a
		}
	}
	if st.answers == nil || len(st.answers) >= maxAnswers {
		st.answers = map[string]answer{}
	}
	st.answers[there] = a
	return a.err
}
