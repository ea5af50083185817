package inventory

import (
	"context"
	"sync"

	"github.com/stocktake/stocktake"
)

// A Sharer is a [Runner] that can make several runs from one listing of their bucket. For buckets
// of other stores, the listing takes most of the time.
type Sharer interface {
	Runner

	// RunTogether makes the runs of tasks, all of one bucket, at the same time. Each
	// does what Run does with its context. As soon as a run has ended, ended is
	// called once, from any goroutine, with the number of the task and its result.
	// RunTogether returns when all have ended.
	RunTogether(contexts []context.Context, tasks []Task, ended func(task int, o Outcome, err error))
}

// MaxTogether is how many runs that share a listing this process takes as one, if others share the
// catalog: more are better shared with them.
const MaxTogether = 8

// shares reports whether the runs of a bucket share listings, as those of named stores do. While
// one run lists the bucket, others wait and share the next listing; unless processes share the
// catalog, where others may list it as well.
func (s *Service) shares(bucket string) bool {
	return s.sharer != nil && s.buckets.StoreOf(bucket) != ""
}

// lists reports whether runs must wait for a shared listing of the bucket that is in progress. It
// requires the lock.
func (s *Service) lists(bucket string) bool { return s.listing[bucket] && !s.opts.Shared }

// companions returns w and the waiting runs that share its listing. It requires the lock.
func (s *Service) companions(w waiting) []waiting {
	if !s.shares(w.bucket) {
		return []waiting{w}
	}
	s.listing[w.bucket] = true
	return append([]waiting{w}, s.queue.take(w.bucket)...)
}

// executeAll makes the attempts of runs that share a listing, and calls ended with
// each as soon as it has ended.
func (s *Service) executeAll(attempts []*attempt, ended func(*attempt)) {
	if len(attempts) == 1 {
		s.execute(attempts[0])
		ended(attempts[0])
		return
	}
	type started struct {
		a   *attempt
		cfg stocktake.InventoryConfiguration
	}
	var (
		ready    []started
		contexts []context.Context
		tasks    []Task
		failed   sync.WaitGroup
	)
	conclude := func(r started, o Outcome, err error) {
		s.finish(r.a, &r.cfg, o, err)
		r.a.cancel(nil)
		ended(r.a)
	}
	for _, a := range attempts {
		cfg, t, err := s.begin(a)
		if err == nil {
			t, err = s.task(a, t)
		}
		if r := (started{a, cfg}); err != nil {
			failed.Go(func() { conclude(r, Outcome{}, err) })
		} else {
			ready, contexts, tasks = append(ready, r), append(contexts, a.ctx), append(tasks, t)
		}
	}
	defer failed.Wait()
	if len(tasks) > 0 {
		s.sharer.RunTogether(contexts, tasks, func(i int, o Outcome, err error) { conclude(ready[i], o, err) })
	}
}
