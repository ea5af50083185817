package server

import (
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/store"
)

// watchStore shows the health of the store. With a full disk the server is not ready, since it
// refuses writes. With damage it stays ready, and readyz reports the damage: one damaged block
// should not take the server out of service.
func (s *Server) watchStore(st *store.Store, counts *metrics.Metrics) {
	s.showStore(st, counts)
	s.readyIf(func() error { return st.Health().DiskFull })
	s.mentions = append(s.mentions, func() error { h := st.Health(); return h.Damage() })
}
