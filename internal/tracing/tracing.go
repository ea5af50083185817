// Package tracing records where the time of requests and runs goes, as
// OpenTelemetry spans: from a request to the run that it starts, the slices of the
// run, and the calls of other stores. Without a [Tracer] in the context, nothing is
// traced and nothing is allocated. There is no span per record or per object.
package tracing

import (
	"context"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/stocktake/stocktake/internal/logs"
)

// A Tracer makes spans and sends them to a collector. Its methods are safe for
// concurrent use.
type Tracer struct {
	tracer trace.Tracer
	close  func(context.Context) error
}

// scope is the instrumentation scope of the spans.
const scope = "github.com/stocktake/stocktake"

// A Provider makes tracers, and sends their spans until it is shut down. The
// OpenTelemetry SDK has one; this package does not need the SDK.
type Provider interface {
	trace.TracerProvider
	Shutdown(ctx context.Context) error
}

// New returns a Tracer of a provider. Close shuts the provider down.
func New(p Provider) *Tracer { return &Tracer{p.Tracer(scope), p.Shutdown} }

// Close sends the waiting spans, until ctx ends. It may be called on nil.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.close(ctx)
}

type tracerKey struct{}

// With returns a context in which t traces; a nil t changes nothing.
func With(ctx context.Context, t *Tracer) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

func tracerOf(ctx context.Context) *Tracer {
	t, _ := ctx.Value(tracerKey{}).(*Tracer)
	return t
}

// A Span is a timed piece of work. A nil Span is not traced: all methods may be
// called on it.
type Span struct{ span trace.Span }

// Start begins a span, as a child of the span of ctx if there is one. It returns
// nil if ctx has no tracer.
func Start(ctx context.Context, name string) (context.Context, *Span) {
	t := tracerOf(ctx)
	if t == nil {
		return ctx, nil
	}
	return t.start(ctx, name, trace.SpanKindInternal)
}

// StartCall is Start for a request to another service.
func StartCall(ctx context.Context, name string) (context.Context, *Span) {
	t := tracerOf(ctx)
	if t == nil {
		return ctx, nil
	}
	return t.start(ctx, name, trace.SpanKindClient)
}

// Request begins the span of a client's request. It continues the trace of the
// request's traceparent, if there is one. It may be called on nil.
func (t *Tracer) Request(r *http.Request, name string) (*http.Request, *Span) {
	if t == nil {
		return r, nil
	}
	ctx := propagation.TraceContext{}.Extract(With(r.Context(), t), propagation.HeaderCarrier(r.Header))
	ctx, s := t.start(ctx, name, trace.SpanKindServer)
	return r.WithContext(ctx), s
}

// start begins a span. Log lines with its context name the trace, if the trace is
// sampled.
func (t *Tracer) start(ctx context.Context, name string, kind trace.SpanKind) (context.Context, *Span) {
	first := !trace.SpanContextFromContext(ctx).IsValid() || trace.SpanContextFromContext(ctx).IsRemote()
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind))
	if first && span.SpanContext().IsSampled() {
		ctx = logs.With(ctx, slog.String("trace", span.SpanContext().TraceID().String()))
	}
	return ctx, &Span{span}
}

// Current returns the span of ctx; nil if there is none.
func Current(ctx context.Context) *Span {
	if tracerOf(ctx) == nil {
		return nil
	}
	return &Span{trace.SpanFromContext(ctx)}
}

// Rename changes the name of the span.
func (s *Span) Rename(name string) {
	if s != nil {
		s.span.SetName(name)
	}
}

// Set adds a text to the span. An empty text is left out.
func (s *Span) Set(key, value string) {
	if s != nil && value != "" {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// SetInt adds a number to the span.
func (s *Span) SetInt(key string, value int64) {
	if s != nil {
		s.span.SetAttributes(attribute.Int64(key, value))
	}
}

// Fail marks the span as failed, with a reason. An empty reason does nothing.
func (s *Span) Fail(reason string) {
	if s != nil && reason != "" {
		s.span.SetStatus(codes.Error, reason)
	}
}

// End ends the span. If err is not nil, it marks the span as failed.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// A Parent is the span that started work which is done later, such as a run that
// waits for a slot.
type Parent struct{ span trace.SpanContext }

// ParentOf returns the span of ctx as a parent; nil if there is none.
func ParentOf(ctx context.Context) *Parent {
	if tracerOf(ctx) == nil {
		return nil
	}
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return nil
	}
	return &Parent{span}
}

// Under returns ctx with p as its span. A nil p changes nothing.
func (p *Parent) Under(ctx context.Context) context.Context {
	if p == nil {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, p.span)
}
