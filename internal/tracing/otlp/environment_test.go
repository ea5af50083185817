package otlp_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stocktake/stocktake/internal/tracing"
	"github.com/stocktake/stocktake/internal/tracing/otlp"
)

func TestFromEnvironment(t *testing.T) {
	for _, tt := range []struct {
		env  string
		on   bool
		fail string
	}{
		{"", false, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", true, ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1/v1/traces", true, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_SDK_DISABLED=true", false, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_TRACES_EXPORTER=none", false, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_TRACES_EXPORTER=zipkin", false, "OTEL_TRACES_EXPORTER"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", true, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_PROTOCOL=grpc", false, "OTEL_EXPORTER_OTLP_PROTOCOL"},
	} {
		t.Run(tt.env, func(t *testing.T) {
			for setting := range strings.FieldsSeq(tt.env) {
				name, value, _ := strings.Cut(setting, "=")
				t.Setenv(name, value)
			}
			tracer, err := otlp.FromEnvironment(t.Context(), "1.2", slog.New(slog.DiscardHandler))
			if (err != nil) != (tt.fail != "") || err != nil && !strings.HasPrefix(err.Error(), tt.fail) {
				t.Errorf("error %v", err)
			}
			if strings.HasSuffix(tt.fail, "PROTOCOL") && !errors.Is(err, otlp.ErrProtocol) {
				t.Errorf("error %v", err)
			}
			if (tracer != nil) != tt.on {
				t.Errorf("traces: %v", tracer != nil)
			}
			if err := tracer.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A receiver takes spans by OTLP over HTTP, as a collector does.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	sent []*collector.ExportTraceServiceRequest
	path string
}

func newReceiver(t *testing.T) *receiver {
	r := new(receiver)
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		m := new(collector.ExportTraceServiceRequest)
		if err = errors.Join(err, proto.Unmarshal(body, m)); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.path = req.Method + " " + req.URL.Path + " " + req.Header.Get("Content-Type") + " " + req.Header.Get("X-Key")
		r.sent = append(r.sent, m)
	}))
	t.Cleanup(r.Close)
	return r
}

// Spans arrive at a collector, with the resource and the headers of the environment.
func TestExport(t *testing.T) {
	r := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	tracer, err := otlp.FromEnvironment(t.Context(), "1.2", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracing.Start(tracing.With(t.Context(), tracer), "run")
	span.End(nil)
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.sent) != 1 || r.path != "POST /v1/traces application/x-protobuf secret" {
		t.Fatalf("%d requests, %s", len(r.sent), r.path)
	}
	got := r.sent[0].ResourceSpans[0]
	resource := map[string]string{}
	for _, a := range got.Resource.Attributes {
		resource[a.Key] = a.Value.GetStringValue()
	}
	if resource["service.name"] != "stocktake" || resource["service.version"] != "1.2" || resource["deployment.environment.name"] != "test" {
		t.Errorf("resource %v", resource)
	}
	if s := got.ScopeSpans[0].Spans; len(s) != 1 || s[0].Name != "run" || len(s[0].TraceId) != 16 {
		t.Errorf("spans %v", s)
	}
}
