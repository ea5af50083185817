package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/catalog/relational"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/testpostgres"
)

// A put whose answer is lost is neither made twice nor reported as failed. A put
// that is itself lost is repeated.
func TestLostCommits(t *testing.T) {
	need(t)
	proxy := server.NewProxy(t)
	c := open(t, proxy.Address(t, database(t)))
	for name, lose := range map[string]func(int){"answer": proxy.LoseAnswers, "commit": proxy.DropCommits} {
		t.Run(name, func(t *testing.T) {
			for i := range 5 {
				id := fmt.Sprint(name, i)
				lose(1)
				first := catalogtest.Queued("photos", id, id)
				if err := c.AddConfiguration(t.Context(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, catalogtest.Limit); err != nil {
					t.Error(err)
				}
				r := first
				r.State = stocktake.Scanning
				lose(1)
				if err := c.StartRun(t.Context(), r, catalogtest.At(stocktake.Queued, first)); err != nil {
					t.Error(err)
				}
				lose(1)
				r.State, r.Ended = stocktake.Succeeded, catalogtest.Start
				if err := c.EndRun(t.Context(), r, catalogtest.At(stocktake.Scanning, first), inventory.End{Keep: 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	n, err := c.CountConfigurations(t.Context())
	if err != nil || n != 10 {
		t.Errorf("%d configurations, %v; want 10", n, err)
	}
}

// While the server restarts, callers wait. If that takes longer than they wait,
// they are told to retry. Answered changes are not lost.
func TestRestart(t *testing.T) {
	s := testpostgres.Start(t)
	address := s.Database(t)
	migrate(t, address)
	c := open(t, address)
	var wg sync.WaitGroup
	var puts atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprint(g, "-", i)
				first := catalogtest.Queued("photos", id, id)
				put := func() error {
					return c.AddConfiguration(t.Context(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, 1<<30)
				}
				err := put()
				for errors.Is(err, object.ErrUnavailable) {
					unknown := errors.Is(err, postgres.ErrUnknown)
					if err = put(); unknown && errors.Is(err, stocktake.ErrInventoryExists) {
						err = nil
					}
				}
				if err != nil {
					t.Errorf("put %s: %v", id, err)
				}
				e, err := c.EntryStatus(t.Context(), "photos", id)
				for errors.Is(err, object.ErrUnavailable) {
					e, err = c.EntryStatus(t.Context(), "photos", id)
				}
				if err != nil || e.Last == nil {
					t.Errorf("read %s: %+v, %v", id, e.Last, err)
				}
				puts.Add(1)
			}
		})
	}
	for _, mode := range []string{"fast", "immediate"} {
		for before := puts.Load(); puts.Load() < before+40; {
			time.Sleep(time.Millisecond) // until there is load
		}
		if err := errors.Join(s.Stop(mode), s.Start()); err != nil {
			t.Error(err)
		}
	}
	cancel()
	wg.Wait()
	n, err := c.CountConfigurations(t.Context())
	if err != nil || n != puts.Load() {
		t.Errorf("%d configurations, %v; %d puts were answered", n, err, puts.Load())
	}
}

// Every way to query an unavailable database reports that it is unavailable,
// whether it refuses connections or does not answer.
func TestAway(t *testing.T) {
	need(t)
	proxy := server.NewProxy(t)
	address := proxy.Address(t, database(t))
	db := open(t, address).Database()
	proxy.Cut()
	var asked sync.WaitGroup
	for name, ask := range map[string]func(context.Context) error{
		"Transact": func(ctx context.Context) error {
			return db.Transact(ctx, func(context.Context, postgres.Tx) error { return nil })
		},
		"Row": func(ctx context.Context) error {
			var n int
			return db.Row(ctx, []any{&n}, "SELECT 1")
		},
		"Rows": func(ctx context.Context) error {
			return db.Rows(ctx, "SELECT 1", func(relational.Scanner) error { return nil })
		},
	} {
		asked.Go(func() {
			if err := ask(t.Context()); !errors.Is(err, object.ErrUnavailable) {
				t.Errorf("%s: %v, want object.ErrUnavailable", name, err)
			}
		})
	}
	asked.Wait()
	late := func(ctx context.Context, _ postgres.Tx) error {
		ctx, cancel := context.WithTimeout(ctx, 0)
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	proxy.Mend()
	if err := db.Transact(t.Context(), late); !errors.Is(err, object.ErrUnavailable) {
		t.Errorf("a statement that was not answered in time: %v, want object.ErrUnavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := db.Transact(ctx, late); errors.Is(err, object.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller that has no time: %v", err)
	}
}

// A change that waits for another one's lock ends with its context.
func TestEndsWithContext(t *testing.T) {
	address := database(t)
	c := open(t, address)
	if err := c.AddConfiguration(t.Context(), catalogtest.Entry("photos", "a"), nil, catalogtest.Holder, 10); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN; UPDATE configurations SET runs = runs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.SetRetention(ctx, "photos", "a", stocktake.Retention{Reports: 1}) }()
	cancel()
	if err := <-done; err == nil {
		t.Error("a change behind a lock was made")
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	e, err := c.Configuration(t.Context(), "photos", "a")
	if err != nil || e.Retention.Reports != 0 {
		t.Errorf("%+v, %v", e.Retention, err)
	}
}

// Names that PostgreSQL cannot store are not found. Reasons that it cannot store
// are kept as far as possible.
func TestStrangeText(t *testing.T) {
	c := open(t, database(t))
	for _, id := range []string{"a\x00b", "\xff", strings.Repeat("x\x00", 100)} {
		if _, err := c.Document(t.Context(), "photos", id); !errors.Is(err, stocktake.ErrNoSuchInventory) {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := c.Runs(t.Context(), id, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	first := catalogtest.Queued("photos", "a", "r")
	if err := c.AddConfiguration(t.Context(), catalogtest.Entry("photos", "a"), &first, catalogtest.Holder, 10); err != nil {
		t.Fatal(err)
	}
	r := first
	r.State, r.Ended, r.Reason = stocktake.Failed, catalogtest.Start, "key a\x00\xffb"
	if err := c.EndRun(t.Context(), r, catalogtest.At(stocktake.Queued, first), inventory.End{Keep: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Run(t.Context(), "r"); err != nil || got.Reason != "key a\uFFFD\uFFFDb" {
		t.Errorf("%q, %v", got.Reason, err)
	}
}

// If a server ends a connection before it reads the commit, nothing has changed,
// and the change is made again.
func TestTerminatedBeforeCommit(t *testing.T) {
	c := open(t, database(t))
	db := c.Database()
	tries := 0
	err := db.Transact(t.Context(), func(ctx context.Context, tx postgres.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO buckets (bucket, configurations) VALUES ('b', 0)`); err != nil {
			return err
		}
		if tries++; tries > 1 {
			return nil
		}
		var pid int
		if err := tx.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		for there := true; there; { // it has reported the end by then
			if err := db.Pool().QueryRow(ctx, `SELECT pg_terminate_backend($1)`, pid).Scan(&there); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || tries != 2 {
		t.Fatalf("%v, after %d tries", err, tries)
	}
	buckets, err := c.Buckets(t.Context(), "", 10)
	if err != nil || len(buckets) != 1 {
		t.Errorf("%v, %v", buckets, err)
	}
}
