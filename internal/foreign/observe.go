package foreign

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake/internal/tracing"
)

// An Observer is called after each request to a store, including repeated ones,
// with the operation (one of [Operations]) and the time until the store began its
// answer. It is called from many goroutines at once.
type Observer func(operation string, took time.Duration)

// Operations are the kinds of requests to stores.
var Operations = []string{"list", "get", "head", "put", "delete", "upload", "other"}

// Observe sets the observer of the store's requests from now on.
func (s *Store) Observe(o Observer) { s.observed.observer.Store(&o) }

// observed is a transport that calls an observer.
type observed struct {
	next     http.RoundTripper
	host     string // of the endpoint; if the URL has another host, the host contains the bucket
	observer atomic.Pointer[Observer]
}

// RoundTrip implements [http.RoundTripper].
func (o *observed) RoundTrip(req *http.Request) (*http.Response, error) {
	watch := o.observer.Load()
	if watch == nil {
		return o.next.RoundTrip(req)
	}
	operation := o.operation(req)
	_, span := tracing.StartCall(req.Context(), spanNames[operation]) // leave the request unchanged: it is signed
	begun := time.Now()
	resp, err := o.next.RoundTrip(req)
	(*watch)(operation, time.Since(begun))
	if span != nil {
		span.Set("server.address", req.URL.Host)
		if err == nil {
			span.SetInt("http.response.status_code", int64(resp.StatusCode))
			if resp.StatusCode >= http.StatusInternalServerError {
				span.Fail(resp.Status)
			}
		}
		span.End(err)
	}
	return resp, err
}

// spanNames are the names of the spans of operations.
var spanNames = map[string]string{
	"list": "store list", "get": "store get", "head": "store head", "put": "store put",
	"delete": "store delete", "upload": "store upload", "other": "store other",
}

// operation returns the kind of a request.
func (o *observed) operation(req *http.Request) string {
	path := strings.TrimPrefix(req.URL.Path, "/")
	key := path
	if req.URL.Host == o.host {
		_, key, _ = strings.Cut(path, "/")
	}
	query := "&" + req.URL.RawQuery
	switch upload := strings.Contains(query, "&uploadId=") || strings.Contains(query, "&uploads"); {
	case key == "" && req.Method == http.MethodGet && strings.Contains(query, "&versioning"):
		return "other" // the versioning of the bucket
	case key == "" && req.Method == http.MethodGet && !upload:
		return "list"
	case key == "":
		return "other"
	case upload:
		return "upload"
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return strings.ToLower(req.Method)
	}
	return "other"
}
