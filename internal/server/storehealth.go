package server

import (
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/store"
)

// watchStore shows the health of the store. A full disk makes the server not
// ready, since it refuses writes. Damage does not: everything else works, and
// otherwise one damaged block would take the whole server out of service;
// readyz reports it.
func (s *Server) watchStore(st *store.Store, counts *metrics.Metrics) {
	s.showStore(st, counts)
	s.readyIf(func() error { return st.Health().DiskFull })
	s.mentions = append(s.mentions, func() error { h := st.Health(); return h.Damage() })
}
