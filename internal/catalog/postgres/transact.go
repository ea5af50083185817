package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Limits of repeated attempts, after the server was away or two transactions
// conflicted.
const (
	attempts      = 6
	firstPause    = 50 * time.Millisecond // then doubling
	commitTimeout = 10 * time.Second
	verdictLimit  = 30 * time.Second // for the outcome of a commit whose answer was lost
)

// ErrUnknown means that the answer to a commit was lost and its outcome could not
// be determined in time: the change may have been made.
var ErrUnknown = errors.New("it is unknown whether the database made the change")

// A Tx is a transaction in progress.
type Tx struct {
	pgx.Tx
	Now int64 // the database's time at the beginning, in microseconds since 1970

	id string // of the transaction, for queries of its outcome
}

// Transact calls do in a transaction, which is committed if do returns nil. After
// nil the change is durable. After an error other than ErrUnknown nothing has
// changed. do is called again if a lost connection or another transaction undid the
// first call. If the database is unavailable, the error is an
// object.ErrUnavailable.
//
// Isolation is READ COMMITTED: each statement sees what is committed when it
// begins, and an UPDATE or DELETE looks at the newest version of a row after it
// has waited for its lock.
func (d *Database) Transact(ctx context.Context, do func(context.Context, Tx) error) error {
	d.changes.Add(1)
	err := d.repeat(ctx, func() error {
		begin := time.Now()
		err := d.once(ctx, do)
		d.took.Add(int64(time.Since(begin)))
		d.commits.Add(1)
		if broken(err) {
			d.failures.Add(1)
		}
		return err
	})
	return d.explain(ctx, err)
}

// repeat calls step until it succeeds or fails for a reason that does not pass
// within seconds.
func (d *Database) repeat(ctx context.Context, step func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := step()
		if err == nil || n == attempts || !passes(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
		pause *= 2
	}
}

// begun queries the transaction's id and the time.
const begun = `SELECT pg_current_xact_id()::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

func (d *Database) once(ctx context.Context, do func(context.Context, Tx) error) (err error) {
	tx, err := d.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return before{err}
	}
	// The end of the caller's context does not abort a change that is already
	// decided.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	defer func() { _ = tx.Rollback(ending) }() // no effect after a commit; a lost connection has rolled back
	t := Tx{Tx: tx}
	if err := tx.QueryRow(ctx, begun).Scan(&t.id, &t.Now); err != nil {
		return before{err}
	}
	if err := do(ctx, t); err != nil {
		return before{err}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = tx.Commit(ending)
	switch {
	case err == nil:
		return nil
	case refused(err) && !away(err): // a server that shuts down may report it after a commit
		return before{err}
	}
	committed, asked := d.outcome(ctx, t.id)
	switch {
	case asked != nil:
		return fmt.Errorf("%w: %w: %w", ErrUnknown, err, asked)
	case committed:
		return nil
	}
	return before{err}
}

// broken reports whether err comes from the database and not from the step.
func broken(err error) bool {
	if err == nil {
		return false
	}
	_, answered := errors.AsType[*pgconn.PgError](err)
	return answered || lost(err) || errors.Is(err, ErrUnknown)
}

// before is the error of a transaction that was not committed.
type before struct{ error }

func (e before) Unwrap() error { return e.error }

// refused reports whether err is the server's own answer: it has rolled back.
func refused(err error) bool {
	_, ok := errors.AsType[*pgconn.PgError](err)
	return ok || errors.Is(err, pgx.ErrTxCommitRollback)
}

// outcome queries the outcome of a transaction whose commit was not answered.
func (d *Database) outcome(ctx context.Context, id string) (committed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), verdictLimit)
	defer cancel()
	pause := firstPause
	for {
		var status *string
		err := d.pool.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", id).Scan(&status)
		switch {
		case err == nil && status == nil:
			return false, errors.New("the transaction is too old to look up")
		case err == nil && *status == "committed":
			return true, nil
		case err == nil && *status == "aborted":
			return false, nil
		case err == nil: // in progress: the server has not noticed the lost connection yet
		case inFuture(err): // the server has crashed and lost the transaction
			return false, nil
		case refused(err) && !away(err):
			return false, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, errors.Join(ctx.Err(), err)
		}
		pause = min(2*pause, time.Second)
	}
}

// inFuture reports whether the server says that the transaction id is not assigned
// yet. A commit is in the log before it is answered, and the id with it.
func inFuture(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "22023"
}

// passes reports whether the failed step, which has changed nothing, may succeed
// shortly afterwards.
func passes(err error) bool {
	if _, ok := errors.AsType[before](err); !ok {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", "55P03", "25P03": // not serialisable, deadlock, lock or session timed out
			return true
		}
		return away(err)
	}
	return lost(err)
}

// away reports whether the server says that it does not serve queries: it starts,
// shuts down or recovers, or has no connection left.
func away(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(e.Code, "08") || refusal(err) != "" || e.Code == "57P01" || e.Code == "57P02" || e.Code == "57P03")
}

// lost reports whether err comes from the connection and not from the caller.
func lost(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) || disconnected(err)
}
