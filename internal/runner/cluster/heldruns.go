package cluster

import (
	"context"
	"sync"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// holdersChannel is the channel on which the holder of a run is notified: it carries
// the id of a run that was summed up, was published or has failed.
const holdersChannel = "stocktake_leads"

// heldRuns are the runs that this process holds. It looks at them when it is notified.
// The zero value is ready.
type heldRuns struct {
	mu       sync.Mutex
	notified map[string]chan struct{} // by run
}

// of returns a channel that receives a value after each notification about a run,
// until forget is called.
func (l *heldRuns) of(run string) (heard <-chan struct{}, forget func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notified == nil {
		l.notified = map[string]chan struct{}{}
	}
	l.notified[run] = c
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.notified[run] == c {
			delete(l.notified, run)
		}
	}
}

// tell makes the holder of a run look at it; empty: at all runs.
func (l *heldRuns) tell(run string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, c := range l.notified {
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
func (l *heldRuns) follow(ctx context.Context, r *Runner) {
	keepFollowing(ctx, func() error { return listen(ctx, r.db, holdersChannel, l.tell) }, func(err error) {
		r.log.Debug("cannot listen for the ends of runs; they are found later", "err", err)
	})
}

// notifyHolder notifies the holder of a run when the transaction is committed.
func notifyHolder(ctx context.Context, tx postgres.Tx, run string) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify('`+holdersChannel+`', $1)`, run)
	return err
}
