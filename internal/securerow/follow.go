package securerow

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// channel is what changes are notified on.
const channel = "stocktake_documents"

// Times of following. Polling finds changes whose notification was lost.
const (
	pollEvery    = 500 * time.Millisecond
	answerWithin = 2 * time.Second // of the database, for one question
	reconnect    = 250 * time.Millisecond
)

// OnChange registers a function that applies changes. While it returns an error, because the
// changes cannot be read, nothing is confirmed. OnChange must not be called after Serve.
func (t *Table) OnChange(f func() error) { t.onChange = append(t.onChange, f) }

// Serve follows the changes that other processes make until ctx ends.
func (t *Table) Serve(ctx context.Context) error {
	t.joined.Store(true)
	defer t.Leave()
	for ctx.Err() == nil {
		t.logUnconfirmed(ctx, t.follow(ctx))
		select {
		case <-time.After(reconnect):
		case <-ctx.Done():
		}
	}
	return nil
}

// logUnconfirmed logs once why nothing is confirmed, and once when it is again.
func (t *Table) logUnconfirmed(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == t.logged || ctx.Err() != nil {
		return
	}
	was := t.logged
	if t.logged = text; text == "" {
		t.opts.Log.Info("accounts and keys are up to date with the database again")
		return
	}
	if was == "" {
		t.opts.Log.Warn("cannot compare accounts and keys with the database; the former ones stay in force for a while", "left", t.opts.MaxAge-t.Age().Round(time.Second), "err", err)
	} else {
		t.opts.Log.Debug("cannot compare accounts and keys with the database", "err", err)
	}
}

// follow asks on a connection of its own until that fails.
func (t *Table) follow(ctx context.Context) (err error) {
	conn, err := t.db.Connect(ctx, answerWithin)
	if err != nil {
		return err
	}
	defer postgres.Disconnect(ctx, conn, answerWithin)
	if err := postgres.Listen(ctx, conn, channel, answerWithin); err != nil {
		return err
	}
	var reported lastReport
	for {
		if err := t.confirm(ctx, conn, &reported); err != nil {
			return err
		}
		if _, _, err := postgres.Wait(ctx, conn, pollEvery); err != nil {
			return err
		}
	}
}

// confirm reads the changes and confirms the state in force. The error is of the connection.
func (t *Table) confirm(ctx context.Context, conn *pgx.Conn, reported *lastReport) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	asked := time.Now()
	if err := t.read(ctx, conn); err != nil {
		return err
	}
	applied := t.apply()
	if applied == nil {
		t.confirmed.Store(&asked)
	}
	if err := t.report(ctx, conn, reported, applied == nil); err != nil {
		return err // such as a database that is read-only; the caller logs it
	}
	t.logUnconfirmed(ctx, applied)
	return nil
}

// apply puts the read changes in force.
func (t *Table) apply() error {
	for _, r := range t.rows {
		if err := r.now.Load().err; err != nil {
			return err
		}
	}
	for _, f := range t.onChange {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
