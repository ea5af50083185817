// Package otlp makes the tracer that sends spans to an OpenTelemetry collector. It
// is the only package that uses the SDK and the protocol.
package otlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/stocktake/stocktake/internal/tracing"
)

// ErrProtocol means that the environment requests an unsupported protocol.
var ErrProtocol = errors.New("spans are sent by http/protobuf only")

// repeatError is the shortest interval between log lines about spans that cannot be
// sent.
const repeatError = time.Minute

// FromEnvironment returns the tracer that the standard OpenTelemetry variables
// configure; nil if they set no endpoint, or disable tracing. Spans are sent by
// OTLP over HTTP, in the background; those that cannot be sent are dropped. An
// error names the variable to correct.
//
// Source: OpenTelemetry specification, environment variables and OTLP exporter.
func FromEnvironment(ctx context.Context, version string, log *slog.Logger) (*tracing.Tracer, error) {
	endpoint := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	if endpoint == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	switch kind := os.Getenv("OTEL_TRACES_EXPORTER"); kind {
	case "none":
		return nil, nil
	case "", "otlp":
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: %.100q is not otlp or none", kind)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("%s: %.100q: %w", name, p, ErrProtocol)
		}
	}
	said := &errorLog{log: log}
	otel.SetErrorHandler(said)
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "stocktake"), attribute.String("service.version", version)),
		resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return tracing.New(sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(res))), nil
}

// errorLog writes errors of OpenTelemetry to our log, at most one a minute.
type errorLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	last time.Time
}

// Handle implements [otel.ErrorHandler].
func (l *errorLog) Handle(err error) {
	l.mu.Lock()
	now := time.Now()
	due := now.Sub(l.last) >= repeatError
	if due {
		l.last = now
	}
	l.mu.Unlock()
	if due {
		l.log.Warn("cannot send spans; dropping them; logged at most once a minute", "err", err)
	}
}
