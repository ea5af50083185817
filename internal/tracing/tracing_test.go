package tracing_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/tracing"
)

func newTracer(t *testing.T) (*tracing.Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	tracer := tracing.New(sdk.NewTracerProvider(sdk.WithSyncer(kept)))
	return tracer, kept
}

// A request continues the trace of its client, and the later work that it starts
// belongs to the same trace.
func TestTrace(t *testing.T) {
	tracer, kept := newTracer(t)
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	r := httptest.NewRequest(http.MethodPut, "/photos/cat", nil)
	r.Header.Set("Traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	r, request := tracer.Request(r, "PUT")
	tracing.Current(r.Context()).Rename("PutObject")
	parent := tracing.ParentOf(r.Context())
	request.End(nil)

	ctx, run := tracing.Start(parent.Under(tracing.With(t.Context(), tracer)), "run")
	run.Set("stocktake.run", "1")
	var out bytes.Buffer
	logs.New(&out, logs.FormatText, slog.LevelInfo).InfoContext(ctx, "run started")
	_, call := tracing.StartCall(ctx, "store list")
	call.End(errors.New("refused"))
	run.End(nil)

	spans := kept.GetSpans()
	if len(spans) != 3 || spans[0].Name != "PutObject" || spans[1].Name != "store list" || spans[2].Name != "run" {
		t.Fatalf("%v", spans)
	}
	for _, s := range spans {
		if s.SpanContext.TraceID().String() != id {
			t.Errorf("%s is of the trace %s", s.Name, s.SpanContext.TraceID())
		}
	}
	if spans[2].Parent.SpanID() != spans[0].SpanContext.SpanID() || spans[1].Parent.SpanID() != spans[2].SpanContext.SpanID() || spans[0].Parent.SpanID().String() != "00f067aa0ba902b7" {
		t.Error("the spans are not parts of each other")
	}
	if spans[1].Status.Description != "refused" {
		t.Errorf("status %v", spans[1].Status)
	}
	if !strings.Contains(out.String(), " trace="+id) {
		t.Errorf("%s", out.String())
	}
}

// An invalid traceparent begins a new trace.
func TestMalformedParent(t *testing.T) {
	tracer, kept := newTracer(t)
	for _, header := range []string{"", "00", "00-0-0-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", strings.Repeat("x", 1<<16)} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Traceparent", header)
		_, span := tracer.Request(r, "GET")
		span.End(nil)
	}
	for _, s := range kept.GetSpans() {
		if s.Parent.IsValid() || !s.SpanContext.IsValid() {
			t.Errorf("%v", s)
		}
	}
}

// Without a tracer nothing is traced, and all methods may be called.
func TestOff(t *testing.T) {
	var none *tracing.Tracer
	r, span := none.Request(httptest.NewRequest(http.MethodGet, "/", nil), "GET")
	ctx, inner := tracing.Start(tracing.With(r.Context(), none), "run")
	if span != nil || inner != nil || tracing.Current(ctx) != nil || tracing.ParentOf(ctx) != nil {
		t.Error("something is traced")
	}
	var parent *tracing.Parent
	if parent.Under(ctx) != ctx {
		t.Error("no parent is a parent")
	}
	inner.Rename("x")
	inner.Set("a", "b")
	inner.SetInt("a", 1)
	inner.Fail("x")
	inner.End(errors.New("x"))
	if err := none.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		ctx, span := tracing.Start(t.Context(), "slice")
		span.Set("stocktake.run", "1")
		_, call := tracing.StartCall(ctx, "store list")
		call.SetInt("http.response.status_code", 200)
		call.End(nil)
		span.End(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOff(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, span := tracing.Start(b.Context(), "slice")
		span.Set("stocktake.run", "1")
		span.End(nil)
	}
}
