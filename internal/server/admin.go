package server

import (
	"fmt"
	"net/http"

	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ram"
)

// openAdmin registers the paths below /-/ that every server has.
func (s *Server) openAdmin(access *ram.Directory, counts *metrics.Metrics) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	s.handle("GET /-/healthz", ok)
	s.handle("GET /-/readyz", ok) // requests are answered when all parts are open
	s.handle("GET /-/metrics", counts.Handler())
	account := accountOnly{access, s.cfg.AccountID, s.clock.Now}
	s.handle(noticesPath, &noticesHandler{account, s.notices, s.log})
	if movable, ok := s.clock.(*clock.Movable); ok {
		s.handle(clockPath, &clockHandler{account, movable})
	}
}
