package cluster

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// outagePause is the time between two lines about a database that fails.
const outagePause = 30 * time.Second

// An outage reports failures of the database in one line with pauses between, however
// many parts of the process notice them. The others are logged at debug level.
type outage struct {
	log *slog.Logger

	mu    sync.Mutex
	said  time.Time // when the last line was
	more  int       // failures since then
	since time.Time // of the first beat that failed; 0: the last one did not
}

// failed records that a step that will be repeated has failed because of the
// database.
func (o *outage) failed(action string, err any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.said.IsZero() && time.Since(o.said) < outagePause {
		o.more++
		o.log.Debug("database failed; trying again", "operation", action, "err", err)
		return
	}
	o.log.Warn("database failed; trying again until it answers", "operation", action, "err", err, "failures", o.more)
	o.said, o.more = time.Now(), 0
}

// beat records the result of a beat, which queries the database regularly.
func (o *outage) beat(err error) {
	if err != nil {
		o.failed("renew the leases of tasks", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil && !o.since.IsZero():
		o.log.Info("database answers again", "took", time.Since(o.since).Round(100*time.Millisecond), "failures", o.more+1)
		o.since, o.said, o.more = time.Time{}, time.Time{}, 0
	case err != nil && o.since.IsZero():
		o.since = time.Now()
	}
}

// A queueLog is the log of River. It passes on River's warnings, except failures of
// the database, which it reports to the outage.
type queueLog struct {
	slog.Handler
	outage *outage
}

// Enabled implements [slog.Handler].
func (q queueLog) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// Handle implements [slog.Handler]. River has the error of a statement in one of two
// attributes, and what it does about jobs elsewhere.
func (q queueLog) Handle(ctx context.Context, r slog.Record) error {
	var failure any
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" || a.Key == "error" {
			failure = a.Value.Any()
		}
		return failure == nil
	})
	if failure == nil {
		return q.Handler.Handle(ctx, r)
	}
	q.outage.failed("queue: "+r.Message, failure)
	return nil
}

// WithAttrs implements [slog.Handler].
func (q queueLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return queueLog{q.Handler.WithAttrs(attrs), q.outage}
}

// WithGroup implements [slog.Handler].
func (q queueLog) WithGroup(name string) slog.Handler {
	return queueLog{q.Handler.WithGroup(name), q.outage}
}
