package server

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/server/admin"
	"github.com/stocktake/stocktake/internal/store"
)

// checkpointEvery is how often the index is kept for store repair.
const checkpointEvery = time.Hour

// openCheckpoints keeps checkpoints of the index of the last three hours.
func (s *Server) openCheckpoints(st *store.Store) {
	s.work(func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(checkpointEvery):
			}
			if err := st.Checkpoint(); err != nil {
				s.log.Error("cannot make a checkpoint of the index; trying again in an hour", "err", err)
			}
		}
	})
}

// openScrub registers the scrubs of the store.
func (s *Server) openScrub(account admin.Account, st *store.Store, counts *metrics.Metrics) {
	sc := admin.NewScrubs(account, st, s.cfg.ScrubRate, s.log)
	s.handle(admin.ScrubPath, sc)
	counts.Scrub(sc.State)
	s.work(sc.Serve)
}

// openBackups registers the backups.
func (s *Server) openBackups(account admin.Account, st *store.Store, cat *sqlite.Catalog) {
	b := admin.NewBackups(account, string(s.folder), st, cat, s.log)
	s.handle(admin.BackupPath, b)
	s.work(b.Serve)
}
