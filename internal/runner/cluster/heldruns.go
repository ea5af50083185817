package cluster

import (
	"context"
	"sync"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// leadsChannel is the channel on which the holder of a run is notified: it carries
// the id of a run that was summed up, was published or has failed.
const leadsChannel = "stocktake_leads"

// ledRuns are the runs that this process leads. It looks at them when it is notified.
// The zero value is ready.
type ledRuns struct {
	mu    sync.Mutex
	heard map[string]chan struct{} // by run
}

// of returns a channel that receives a value after each notification about a run,
// until forget is called.
func (l *ledRuns) of(run string) (heard <-chan struct{}, forget func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard == nil {
		l.heard = map[string]chan struct{}{}
	}
	l.heard[run] = c
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.heard[run] == c {
			delete(l.heard, run)
		}
	}
}

// tell makes the holder of a run look at it; empty: at all runs.
func (l *ledRuns) tell(run string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, c := range l.heard {
		if run == "" || run == id {
			select {
			case c <- struct{}{}:
			default: // it will look
			}
		}
	}
}

// follow receives notifications about the runs of this process until ctx ends. The
// next look makes up for missed ones.
func (l *ledRuns) follow(ctx context.Context, r *Runner) {
	keepFollowing(ctx, func() error { return listen(ctx, r.db, leadsChannel, l.tell) }, func(err error) {
		r.log.Debug("ends of runs are not heard of; they are found later", "err", err)
	})
}

// tellLead notifies the holder of a run when the transaction is committed.
func tellLead(ctx context.Context, tx postgres.Tx, run string) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify('`+leadsChannel+`', $1)`, run)
	return err
}
