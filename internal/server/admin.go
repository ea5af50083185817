package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/server/admin"
)

// openAdmin registers the paths below /-/ that every server has.
func (s *Server) openAdmin(access *ram.Directory, buckets *bucket.Registry, service *inventory.Service, counts *metrics.Metrics) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	})
	s.handle("GET /-/healthz", ok)
	s.handle("GET /-/readyz", http.HandlerFunc(s.serveReady))
	counts.Connections(s.conns.Count, s.cfg.MaxConnections)
	if s.certificate != nil {
		counts.Certificate(s.certificate.Validity)
	}
	s.openMetrics(counts, ok)
	account := s.accountOnly(access)
	s.handle(admin.NoticesPath, admin.Notices(account, s.notices, s.log))
	s.handle("GET "+admin.BucketsPath, admin.Buckets(account, s.configured, buckets.StoreOf, s.log))
	s.handle("GET "+admin.WorkPath, admin.Work(account, service, s.log))
	if movable, ok := s.clock.(*clock.Movable); ok {
		s.handle(admin.ClockPath, admin.Clock(account, movable))
	}
}

// pathOf returns the registered path below /-/ that serves a request, or a fixed
// text, so that clients cannot invent names of operations.
func (s *Server) pathOf(r *http.Request) string {
	if _, pattern := s.admin.Handler(r); pattern != "" {
		_, path, found := strings.Cut(pattern, " ")
		if !found {
			path = pattern
		}
		return path
	}
	return "unknown"
}

// serveReady answers 200 if the server should get requests. It is not called
// before all parts are open, since requests are served only then.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	var why error
	for _, probe := range s.probes {
		why = errors.Join(why, probe())
	}
	if why != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, why)
		return
	}
	fmt.Fprintln(w, "ok")
	for _, mention := range s.mentions {
		if what := mention(); what != nil {
			fmt.Fprintln(w, what)
		}
	}
}

// accountOnly returns the guard of paths that only the account itself may use.
func (s *Server) accountOnly(access *ram.Directory) admin.Account {
	return admin.Account{Access: access, ID: s.cfg.AccountID, Now: s.clock.Now, Audit: s.audit, Authenticated: proven}
}
