package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

type source struct{ s *Store }

// Snapshot implements [engine.Source]. The service has no snapshots: scans show its
// state over a window of time.
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
	details   [numDetailRequests]detailState
	buffers   bufferPool
}

func (sn *snapshot) Time() time.Time                                      { return sn.taken }
func (sn *snapshot) Consistency() stocktake.Consistency                   { return stocktake.ConsistencyWindow }
func (sn *snapshot) Close() error                                         { return nil }
func (sn *snapshot) Count(context.Context, string) (int64, error)         { return -1, nil }
func (sn *snapshot) Split(context.Context, string, int) ([]string, error) { return nil, nil }

// Requests implements [engine.PagedSnapshot].
func (sn *snapshot) Requests() int {
	if sn.s.useful == nil {
		return sn.s.requests
	}
	return min(sn.s.requests, max(sn.s.useful(), 1))
}

// withBucket adds the bucket to an error.
func withBucket(bucket string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", bucket, err)
}
