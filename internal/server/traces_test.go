package server_test

import (
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/tracing/otlp"
	"github.com/stocktake/stocktake/stocktaketest"
)

// The spans of a run form one trace, from the request that started it to the calls of the other
// store. The test reads what a collector receives.
func TestTraceFromRequestToStore(t *testing.T) {
	var mu sync.Mutex
	var spans []*trace.Span
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		m := new(collector.ExportTraceServiceRequest)
		if err = errors.Join(err, proto.Unmarshal(body, m)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(receiver.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	tracer, err := otlp.FromEnvironment(t.Context(), "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	t.Run("requests", func(t *testing.T) { // its servers have ended, and so have all spans
		far := stocktaketest.New(t, stocktaketest.WithBuckets("lake-photos"))
		put(t, far, "lake-photos", "a", "b")
		s := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"), withStores(lake(t, far)), func(c *server.Config) { c.Tracer = tracer })
		put(t, s, "photos", "cat")
		firstRun(t, s, "photos", configuration(s, "near", "reports"))
		firstRun(t, s, "lake-photos", configuration(s, "far", "reports"))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint+"/photos/cat", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Traceparent", "00-"+id+"-00f067aa0ba902b7-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()

		pages := serve(t, server.Config{
			Data: t.TempDir(), Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Tracer: tracer, Log: slog.New(slog.DiscardHandler),
		})
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Jar: jar}
		for _, url := range []string{pages.SignInLink(), pages.ConsoleURL() + "/"} {
			resp, err := browser.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	})
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	mu.Lock()
	defer mu.Unlock()
	bySpan := map[string]*trace.Span{}
	for _, span := range spans {
		bySpan[string(span.SpanId)] = span
	}
	// path returns the names from the root of a trace to a span.
	path := func(span *trace.Span) string {
		names := []string{span.Name}
		for parent := bySpan[string(span.ParentSpanId)]; parent != nil; parent = bySpan[string(parent.ParentSpanId)] {
			names = append([]string{parent.Name}, names...)
		}
		return strings.Join(names, " > ")
	}
	paths := map[string]int{}
	for _, span := range spans {
		paths[path(span)]++
		if span.Name == "GetObject" && hex.EncodeToString(span.TraceId) != id {
			t.Errorf("the trace of the client is not continued: %x", span.TraceId)
		}
	}
	for _, want := range []string{
		"PutObject", "GetObject", "ConsoleBuckets", "ConsoleBuckets > ListBuckets",
		"PutBucketInventory > run", "PutBucketInventory > run > slice", "PutBucketInventory > run > publish",
		"PutBucketInventory > run > slice > store list",
	} {
		if paths[want] == 0 {
			t.Errorf("no span %s in %v", want, paths)
		}
	}
}
