// Package logs is the common part of all logs of a server: the format of lines,
// attributes from the context, files that can be reopened after log rotation, and a
// queue that decouples callers from a slow disk.
package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"slices"
)

// Formats of a log. The zero value is FormatText.
const (
	FormatText = "text" // key=value
	FormatJSON = "json" // one JSON object per line
)

// New returns a logger that writes each line to w in one call, in a format. Lines
// include the attributes that With has added to their context.
func New(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == FormatJSON {
		return slog.New(&handler{slog.NewJSONHandler(escaping{w}, opts)})
	}
	return slog.New(&handler{slog.NewTextHandler(w, opts)})
}

// contextKey is the key of the attributes of a context.
type contextKey struct{}

// With returns a context whose log lines have the given attributes, in addition to
// those that they already have: ids of requests, runs and traces.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	had, _ := ctx.Value(contextKey{}).([]slog.Attr)
	return context.WithValue(ctx, contextKey{}, append(slices.Clip(had), attrs...))
}

// Digest returns the digest of a document for a line about its change: "sha256:" and 64 hex digits.
// Equal documents have equal digests, and a digest does not reveal a policy or a tag.
func Digest(document []byte) string {
	sum := sha256.Sum256(document)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// handler adds the attributes of the context.
type handler struct{ slog.Handler }

// Handle implements [slog.Handler]. An attribute of the line replaces one of the
// context with the same key.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if attrs, _ := ctx.Value(contextKey{}).([]slog.Attr); len(attrs) > 0 {
		has := make([]string, 0, r.NumAttrs())
		r.Attrs(func(a slog.Attr) bool {
			has = append(has, a.Key)
			return true
		})
		for i := len(attrs) - 1; i >= 0; i-- { // the latest one applies
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
