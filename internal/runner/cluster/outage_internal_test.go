package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/throttle"
)

// While the database is away, River's errors and those of beats become a line each
// half a minute, and one says that it is over. What River says of jobs stays.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		o := &outage{log: log}
		queue := slog.New(queueLog{log.Handler(), o}).With("client", "c")
		lost := errors.New("connection refused")
		for range 450 { // 45 s
			queue.Error("producer: Error fetching jobs", "err", lost.Error())
			queue.Error("JobScheduler: Error scheduling jobs", "error", lost.Error())
			queue.Info("fetched")
			o.beat(lost)
			time.Sleep(100 * time.Millisecond)
		}
		queue.Error("Unhandled job kind", "kind", "k")
		o.beat(nil)
		o.beat(nil)
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		if len(lines) != 4 {
			t.Fatalf("%d lines:\n%s", len(lines), text.String())
		}
		for i, parts := range [][]string{
			{"level=WARN", "database failed", "Error fetching jobs", "connection refused"},
			{"level=WARN", "database failed", "failures=899"},
			{"level=ERROR", "Unhandled job kind", "client=c"},
			{"level=INFO", "answers again", "took=45s"},
		} {
			for _, part := range parts {
				if !strings.Contains(lines[i], part) {
					t.Errorf("line %d lacks %q: %s", i, part, lines[i])
				}
			}
		}
		queue.Error("producer: Error fetching jobs", "err", lost.Error())
		if n := strings.Count(text.String(), "database failed"); n != 3 {
			t.Errorf("the next outage has no line of its own:\n%s", text.String())
		}
	})
}

// While the database is unreachable, one line reports it, however many stores cannot
// be divided.
func TestOutageOfDivisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		away := func(context.Context, string) error { return errors.New("connection refused") }
		db := &fakeDatabase{rows: map[string]fakeRow{}, followers: map[string]func(string){}, trouble: away}
		var stores []Store
		for range 3 {
			limits := throttle.Limits{Concurrency: 8}
			stores = append(stores, &gated{Gate: throttle.NewGate(new(farService), limits), limits: limits})
		}
		o := &outage{log: slog.New(slog.NewTextHandler(&text, nil))}
		ctx, cancel := context.WithTimeout(t.Context(), outagePause-time.Second)
		defer cancel()
		newDivider(fakeSession{db, "a"}, "a", stores, 20*time.Second, 2*time.Second, o).serve(ctx)
		if n := strings.Count(text.String(), "\n"); n != 1 || !strings.Contains(text.String(), "divide the limits of store far") {
			t.Errorf("%d lines:\n%s", n, text.String())
		}
	})
}
