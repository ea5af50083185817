package remote

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

type source struct{ s *Store }

// Snapshot implements [engine.Source]. The service has no snapshots: what the
// scans show is a window.
func (src source) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	now := time.Now()
	versioned, err := src.s.Versioned(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return &snapshot{s: src.s, bucket: bucket, versioned: versioned, taken: now}, nil
}

type snapshot struct {
	s         *Store
	bucket    string
	versioned bool
	taken     time.Time
	answers   [numQuestions]answers

	mu   sync.Mutex
	idle []*lister // no more than there were scans at once
}

// lister returns a lister that no scan uses. A bucket is listed by many short scans,
// for which the memory of a page would else be found, cleared and grown each time.
func (sn *snapshot) lister() *lister {
	sn.mu.Lock()
	defer sn.mu.Unlock()
	if n := len(sn.idle); n > 0 {
		l := sn.idle[n-1]
		sn.idle = sn.idle[:n-1]
		return l
	}
	return &lister{s: sn.s, bucket: sn.bucket}
}

// keep takes back a lister whose last page is of no more use.
func (sn *snapshot) keep(l *lister) {
	sn.mu.Lock()
	defer sn.mu.Unlock()
	sn.idle = append(sn.idle, l)
}

func (sn *snapshot) Time() time.Time                                      { return sn.taken }
func (sn *snapshot) Consistency() stocktake.Consistency                   { return stocktake.ConsistencyWindow }
func (sn *snapshot) Close() error                                         { return nil }
func (sn *snapshot) Count(context.Context, string) (int64, error)         { return -1, nil }
func (sn *snapshot) Split(context.Context, string, int) ([]string, error) { return nil, nil }

// Requests implements [engine.PagedSnapshot].
func (sn *snapshot) Requests() int { return sn.s.requests }

// about says which bucket an error is about.
func about(bucket string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", bucket, err)
}
