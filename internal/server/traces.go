package server

import (
	"net/http"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/tracing"
)

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

// spans adds the operation and the result to the span of a request of the OSS API.
type spans struct{}

// Observe implements [ossapi.Observer].
func (spans) Observe(o ossapi.Observation) {
	span := tracing.Current(o.Context)
	span.Rename(o.Operation)
	span.Set("http.request.method", o.Request.Method)
	span.SetInt("http.response.status_code", int64(o.Status))
	span.Set("stocktake.request", o.ID)
	span.Set("stocktake.bucket", request.Bounded(o.Bucket))
	span.Set("error.type", o.Code)
	if o.Status >= http.StatusInternalServerError {
		span.Fail(o.Code)
	}
}
