package server

import "net/http"

// traced begins a span for each request, if there is a tracer.
func (s *Server) traced(h http.Handler) http.Handler {
	if s.cfg.Tracer == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, span := s.cfg.Tracer.Request(r, r.Method)
		defer span.End(nil)
		h.ServeHTTP(w, r)
	})
}
