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
	// patience is how long a store may take to say whether it has a bucket. A
	// person waits meanwhile.
	patience = 5 * time.Second

	// An answer holds for a while, so that the status of a thousand configurations
	// asks once. A bad one holds shorter, as the fault may be corrected soon.
	goodFor = time.Minute
	badFor  = 5 * time.Second

	// maxAnswers bounds the names that are remembered.
	maxAnswers = 10_000
)

// An UnreachableError means that a store cannot be asked for a bucket now.
type UnreachableError struct {
	Store, Endpoint string
	Err             error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the store %q (%s) cannot be asked: %v", e.Store, e.Endpoint, e.Err)
}

// Unwrap returns object.ErrUnreachable, and why.
func (e *UnreachableError) Unwrap() []error { return []error{object.ErrUnreachable, e.Err} }

// Advice returns what to do, for the warnings of a configuration.
func (e *UnreachableError) Advice() string {
	return "runs fail until it can; find out why with stocktake store check " + e.Store
}

// named is a Store, and what it has answered lately.
type named struct {
	Store
	flight singleflight.Group

	mu      sync.Mutex
	answers map[string]answer // by bucket
	silent  answer            // of the store as a whole; nil error: it has answered
}

type answer struct {
	until time.Time
	err   error
}

// Reach asks the store that holds the bucket: nil if it has the bucket,
// stocktake.ErrNoSuchBucket if it has not, [*UnreachableError] if it cannot be
// asked. It takes some seconds at most; answers hold for a while.
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
		// Others wait for the answer, too, so that it does not end with the caller.
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

// known returns the last answer about a bucket if it still holds.
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

// learn keeps what the store has answered about a bucket, and returns the error
// that it is.
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
		if !errors.Is(err, stocktake.ErrAccessDenied) { // that may be so for one bucket
			st.silent = a
		}
	}
	if st.answers == nil || len(st.answers) >= maxAnswers {
		st.answers = map[string]answer{}
	}
	st.answers[there] = a
	return a.err
}
