package server

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/store"
)

const (
	// scrubEvery is how long after the end of a scrub the next one begins.
	scrubEvery = 30 * 24 * time.Hour

	// scrubRetry is how long the first scrub, or the next one after a failure, waits.
	scrubRetry = time.Hour
)

// checkpointEvery is how often the index is kept for store repair.
const checkpointEvery = time.Hour

// openCheckpoints keeps the index as it was up to three hours ago.
func (s *Server) openCheckpoints(st *store.Store) {
	s.work(func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(checkpointEvery):
			}
			if err := st.Checkpoint(); err != nil {
				s.log.Error("no checkpoint of the index was made; the next try is in an hour", "err", err)
			}
		}
	})
}

// openScrub has the whole store read and compared with its checksums every
// month. A scrub continues where the end of the process interrupted it.
func (s *Server) openScrub(st *store.Store) {
	if s.cfg.ScrubRate < 0 {
		return
	}
	s.work(func(ctx context.Context) error {
		last, err := st.Scrubbed()
		for {
			wait := time.Until(last.Add(scrubEvery))
			if err != nil || last.IsZero() {
				wait = scrubRetry
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
			var sum store.Scrub
			sum, err = st.Scrub(ctx, store.ScrubOptions{BytesPerSecond: s.cfg.ScrubRate})
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				s.log.Error("the scrub of the store failed; it continues in an hour", "err", err)
			case sum.Damaged > 0:
				s.log.Error("the scrub of the store found damage", "objects", sum.Objects, "bytes", sum.Bytes, "damaged", sum.Damaged)
			default:
				s.log.Info("the scrub of the store found no damage", "objects", sum.Objects, "bytes", sum.Bytes)
			}
			last = time.Now()
		}
	})
}
