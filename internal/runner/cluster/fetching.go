package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// firstFetch is how long a client of River may take before it first fetches jobs of
// each queue.
const firstFetch = 10 * time.Second

var errNoFetch = errors.New("cannot fetch jobs from a queue")

// serveQueue carries out jobs until the process ends, and returns when they have
// ended.
func (r *Runner) serveQueue(ctx context.Context) {
	for r.opts.Slots > 0 {
		c, err := r.startClient(ctx)
		if err == nil {
			<-r.drain
			r.stopClient(ctx, c)
			return
		}
		r.outage.failed("start the queue", err)
		select {
		case <-time.After(dbPause):
		case <-r.drain:
			return
		}
	}
	<-r.drain
}

// startClient returns a client of River that fetches jobs. A client that failed to
// start cannot be started again. If a connection ends while a client starts, it may
// report success and never fetch.
func (r *Runner) startClient(ctx context.Context) (*river.Client[pgx.Tx], error) {
	var mu sync.Mutex
	asked := map[string]bool{}
	all := make(chan struct{})
	c, err := r.newClient(func(queue string) {
		mu.Lock()
		defer mu.Unlock()
		if !asked[queue] {
			if asked[queue] = true; asked[sliceQueue] && asked[reportQueue] {
				close(all)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	select {
	case <-all:
		return c, nil
	case <-r.drain: // it ends as every other
		return c, nil
	case <-time.After(firstFetch):
		r.stopClient(ctx, c)
		return nil, errNoFetch
	}
}

// stopClient stops a client from taking further tasks, and waits for tasks in
// progress.
func (r *Runner) stopClient(ctx context.Context, c *river.Client[pgx.Tx]) {
	soft, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if c.Stop(soft) == nil {
		return
	}
	hard, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := c.StopAndCancel(hard); err != nil {
		r.log.Warn("tasks did not end in time; other processes take them when their leases expire", "err", err)
	}
}
