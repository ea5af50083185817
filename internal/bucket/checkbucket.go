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
	// checkTimeout is how long a store may take to say whether a bucket exists. A person waits
	// meanwhile.
	checkTimeout = 5 * time.Second

	// existsFor is how long an answer is cached, so that the status of a thousand configurations asks once. A
	// failure is cached for failsFor, since the fault may be corrected soon.
	existsFor = time.Minute
	failsFor  = 5 * time.Second

	// maxCachedAnswers bounds the number of cached names.
	maxCachedAnswers = 10_000
)

// An UnreachableError reports that a store does not answer for a bucket now.
type UnreachableError struct {
	Store, Endpoint string
	Err             error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the store %q (%s) cannot be reached: %v", e.Store, e.Endpoint, e.Err)
}

// Unwrap returns object.ErrUnreachable and the cause.
func (e *UnreachableError) Unwrap() []error { return []error{object.ErrUnreachable, e.Err} }

// Advice returns what to do, for the warnings of a configuration.
func (e *UnreachableError) Advice() string {
	return "runs fail until it can; find out why with stocktake store check " + e.Store
}

// namedStore is a Store with its latest answers.
type namedStore struct {
	Store
	requests singleflight.Group

	mu          sync.Mutex
	answers     map[string]answer // by bucket
	unreachable answer            // of the store as a whole; nil error: it answers
}

type answer struct {
	until time.Time
	err   error
}

// CheckBucket asks the store of a bucket whether it exists. It returns nil if it does,
// stocktake.ErrNoSuchBucket if not, and an [*UnreachableError] if the store does not answer. It
// takes at most some seconds; answers are cached for a while.
func (r *Registry) CheckBucket(ctx context.Context, name string) error {
	st, nameInStore := r.find(name)
	if st == nil {
		_, err := r.Bucket(ctx, name)
		return err
	}
	if a, ok := st.cachedAnswer(nameInStore); ok {
		return a.err
	}
	done := st.requests.DoChan(nameInStore, func() (any, error) {
		// Other callers share the answer, so the request does not end with the context of the first
		// caller.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		return nil, st.cacheAnswer(nameInStore, st.Service.CheckBucket(ctx, nameInStore))
	})
	select {
	case got := <-done:
		return got.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cachedAnswer returns the last answer about a bucket if it is still valid.
func (st *namedStore) cachedAnswer(nameInStore string) (answer, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	if st.unreachable.err != nil && now.Before(st.unreachable.until) {
		return st.unreachable, true
	}
	a, ok := st.answers[nameInStore]
	return a, ok && now.Before(a.until)
}

// cacheAnswer caches the answer of the store about a bucket and returns it as an error.
func (st *namedStore) cacheAnswer(nameInStore string, err error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	st.unreachable = answer{}
	a := answer{now.Add(existsFor), nil}
	switch {
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		a = answer{now.Add(failsFor), err}
	case err != nil:
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", checkTimeout)
		}
		a = answer{now.Add(failsFor), &UnreachableError{st.Name, st.Endpoint, err}}
		if !errors.Is(err, stocktake.ErrAccessDenied) { // that may concern only this bucket
			st.unreachable = a
		}
	}
	if st.answers == nil || len(st.answers) >= maxCachedAnswers {
		st.answers = map[string]answer{}
	}
	st.answers[nameInStore] = a
	return a.err
}
