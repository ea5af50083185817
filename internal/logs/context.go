// Package logs is what all logs of a server have in common: the form of their lines,
// what the context adds to them, files that can be opened again after they were moved
// away, and a queue that keeps a slow disk from slowing down those who log.
package logs

import (
	"context"
	"io"
	"log/slog"
	"slices"
)

// Formats of a log. The zero value is FormatText.
const (
	FormatText = "text" // key=value
	FormatJSON = "json" // one JSON object a line
)

// New returns a logger that writes each line to w in one call, in a format. What With
// has added to the context of a line is part of it.
func New(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == FormatJSON {
		return slog.New(&handler{slog.NewJSONHandler(escaping{w}, opts)})
	}
	return slog.New(&handler{slog.NewTextHandler(w, opts)})
}

// contextKey is the key of the attributes of a context.
type contextKey struct{}

// With returns a context whose log lines have the attributes given, besides those that
// they have already: ids of requests, runs and traces.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	had, _ := ctx.Value(contextKey{}).([]slog.Attr)
	return context.WithValue(ctx, contextKey{}, append(slices.Clip(had), attrs...))
}

// handler adds the attributes of the context.
type handler struct{ slog.Handler }

// Handle implements [slog.Handler]. An attribute of the line itself takes the place of
// one of the context.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if attrs, _ := ctx.Value(contextKey{}).([]slog.Attr); len(attrs) > 0 {
		has := make([]string, 0, r.NumAttrs())
		r.Attrs(func(a slog.Attr) bool {
			has = append(has, a.Key)
			return true
		})
		for i := len(attrs) - 1; i >= 0; i-- { // the latest counts
			if !slices.Contains(has, attrs[i].Key) {
				has = append(has, attrs[i].Key)
				r.AddAttrs(attrs[i])
			}
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler { return &handler{h.Handler.WithGroup(name)} }
