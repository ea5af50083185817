// Package accesslog writes a line for each request: who asked for what, and what the
// answer was. Nothing in a line can be used to make the request again: signatures and
// tokens in the URL are replaced.
package accesslog

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/signature"
)

// A Log is the access log. Its methods may be called from many goroutines at once.
type Log struct{ log *slog.Logger }

// New returns the access log that writes lines with l, at level INFO.
func New(l *slog.Logger) *Log { return &Log{l} }

const (
	maxAgent = 300  // bytes of a user agent in a line
	maxQuery = 2048 // bytes of a query in a line
)

// Observe writes the line of a request. It implements [ossapi.Observer].
func (l *Log) Observe(o ossapi.Observation) {
	r := o.Request
	attrs := []slog.Attr{
		slog.String("request", o.ID),
		slog.String("principal", o.Principal),
		slog.String("key_id", accessKey(&o)),
		slog.String("operation", o.Operation),
		slog.String("bucket", bounded(o.Bucket, 256)),
		slog.String("key", bounded(o.Key, 1024)),
		slog.Int("status", o.Status),
		slog.String("code", o.Code),
		slog.String("ec", o.EC),
		slog.Int64("in", o.In),
		slog.Int64("out", o.Out),
		slog.Float64("seconds", o.Took.Seconds()),
		slog.String("address", address(r.RemoteAddr)),
		slog.String("method", r.Method),
		slog.String("host", bounded(r.Host, 256)),
		slog.String("query", Redact(r.URL.RawQuery)),
		slog.String("agent", bounded(r.UserAgent(), maxAgent)),
		slog.Bool("tls", r.TLS != nil),
	}
	ctx := o.Context
	if ctx == nil {
		ctx = context.Background()
	}
	l.log.LogAttrs(ctx, slog.LevelInfo, "access", attrs...)
}

// accessKey returns the id of the key that a request claims to be signed with; empty
// if none. Whether it was, is said by the principal.
func accessKey(o *ossapi.Observation) string {
	auth, err := signature.Parse(o.Request)
	if err != nil || auth == nil {
		return ""
	}
	return bounded(auth.AccessKeyID, 128)
}

func address(remote string) string {
	if a, err := netip.ParseAddrPort(remote); err == nil {
		return a.Addr().Unmap().String()
	}
	return remote
}

func bounded(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for range utf8.UTFMax - 1 { // not in the middle of a letter
			if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
