package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// A database is the relational.Database of a Catalog.
type database struct {
	write *writer
	read  *pool
}

// Rows implements [relational.Database].
func (d *database) Rows(ctx context.Context, text string, each func(relational.Scanner) error, args ...any) error {
	err := rows(ctx, d.read.stmts[text], each, args)
	if end := ctx.Err(); err != nil && end != nil && !errors.Is(err, end) {
		return fmt.Errorf("%w: %w", end, err) // the driver may only say that it was interrupted
	}
	return err
}

// Change implements [relational.Database].
func (d *database) Change(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.write.change(ctx, func(ctx context.Context, t *tx) error { return do(ctx, t) })
}

// ChangeLazily implements [relational.Database].
func (d *database) ChangeLazily(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.write.changeLazily(ctx, func(ctx context.Context, t *tx) error { return do(ctx, t) })
}

// Explain implements [relational.Database].
func (d *database) Explain(err error) error { return damaged(err) }

// The statements that delimit the changes within one transaction.
const (
	savepoint = `SAVEPOINT change`
	undo      = `ROLLBACK TO change`
	release   = `RELEASE change`
)

var savepoints = []string{savepoint, undo, release}

// A writer makes the changes of the database. Changes that arrive while others are
// being made wait, and are then made together: each in its own savepoint of one
// transaction, whose one sync makes all of them durable.
type writer struct {
	pool *pool
	turn chan struct{} // holds a token while a goroutine makes changes

	mu      sync.Mutex
	waiting []*change

	full bool // commits are synced; guarded by turn

	changes, commits, errors, took atomic.Int64 // see Stats
}

// A change is one atomic step whose caller waits.
type change struct {
	ctx  context.Context // of the caller: if it ends before the change is begun, nothing is changed
	do   func(context.Context, *tx) error
	lazy bool // see [writer.changeLazily]
	done chan struct{}
	err  error // valid once done is closed
}

func newWriter(p *pool) *writer {
	return &writer{pool: p, turn: make(chan struct{}, 1), full: true}
}

// change makes a change that is durable when it returns nil. do may be called twice,
// because the first call may be rolled back. Its context does not end, because that
// would roll back the changes of others, too.
func (w *writer) change(ctx context.Context, do func(context.Context, *tx) error) error {
	return w.submit(&change{ctx: ctx, do: do, done: make(chan struct{})})
}

// changeLazily makes a change without waiting for the disk: a crash of the machine,
// but not of the process, may undo it until a later change made by change is durable,
// which makes this one durable as well.
func (w *writer) changeLazily(ctx context.Context, do func(context.Context, *tx) error) error {
	return w.submit(&change{ctx: ctx, do: do, lazy: true, done: make(chan struct{})})
}

func (w *writer) submit(c *change) error {
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	w.mu.Unlock()
	w.changes.Add(1)
	select {
	case w.turn <- struct{}{}:
		w.commitWaiting()
	case <-c.done:
	case <-c.ctx.Done():
		if w.withdraw(c) {
			return c.ctx.Err()
		}
	}
	<-c.done
	return c.err
}

// withdraw removes a waiting change that no leader has taken yet.
func (w *writer) withdraw(c *change) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting, c)
	if i < 0 {
		return false
	}
	w.waiting = slices.Delete(w.waiting, i, i+1)
	return true
}

// commitWaiting makes the waiting changes, and returns the turn.
func (w *writer) commitWaiting() {
	defer func() { <-w.turn }()
	w.mu.Lock()
	group := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	defer func() {
		for _, c := range group {
			close(c.done)
		}
	}()
	if len(group) < 2 || w.commitTogether(group) != nil {
		// One change may have caused the failure of all, for instance one that found
		// the database full.
		for _, c := range group {
			c.err = w.commitAlone(c)
		}
	}
}

// commitAlone makes a change in a transaction of its own.
func (w *writer) commitAlone(c *change) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	ctx := context.WithoutCancel(c.ctx)
	return w.transact(ctx, c.lazy, func(t *tx) error { return c.do(ctx, t) })
}

// commitTogether makes changes in one transaction. It returns the error of the
// transaction, after which none of them is made; otherwise each change has its own
// error.
func (w *writer) commitTogether(group []*change) error {
	lazy := !slices.ContainsFunc(group, func(c *change) bool { return !c.lazy })
	return w.transact(context.Background(), lazy, func(t *tx) error {
		for _, c := range group {
			if c.err = c.ctx.Err(); c.err != nil {
				continue
			}
			if err := t.inSavepoint(context.WithoutCancel(c.ctx), c); err != nil {
				return err
			}
		}
		return nil
	})
}

// inSavepoint makes a change that has no effect if it fails. It returns only an error of
// the transaction, which is then lost.
func (t *tx) inSavepoint(ctx context.Context, c *change) error {
	if _, err := t.Exec(ctx, savepoint); err != nil {
		return err
	}
	if c.err = c.do(ctx, t); c.err != nil {
		if _, err := t.Exec(ctx, undo); err != nil {
			return err
		}
	}
	_, err := t.Exec(ctx, release)
	return err
}

// transact runs fn in a transaction, which is committed if fn returns nil.
func (w *writer) transact(ctx context.Context, lazy bool, fn func(*tx) error) (err error) {
	begun := time.Now()
	defer func() {
		w.took.Add(int64(time.Since(begun)))
		if err == nil {
			w.commits.Add(1)
		} else if !relational.IsAnswer(err) {
			w.errors.Add(1)
		}
	}()
	if err := w.setSync(ctx, !lazy); err != nil {
		return err
	}
	t, err := w.pool.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		// A statement that finds the disk full may have rolled back already.
		if back := t.Rollback(); err != nil && !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, back)
		}
	}()
	if err := fn(&tx{tx: t, pool: w.pool}); err != nil {
		return err
	}
	return t.Commit()
}

// setSync sets whether commits are synced. In mode FULL they are. In mode NORMAL the
// log is synced before it is copied into the database, and by the next commit in
// mode FULL. A crash therefore never undoes a change without undoing all later
// ones.
func (w *writer) setSync(ctx context.Context, full bool) error {
	if w.full == full {
		return nil
	}
	mode := "NORMAL"
	if full {
		mode = "FULL"
	}
	w.full = false // if the mode is unknown
	if _, err := w.pool.db.ExecContext(ctx, "PRAGMA synchronous = "+mode); err != nil {
		return fmt.Errorf("set synchronous to %s: %w", mode, err)
	}
	w.full = full
	return nil
}

// A tx is a transaction of the writer.
type tx struct {
	tx   *sql.Tx
	pool *pool
}

// Rows implements [relational.Tx].
func (t *tx) Rows(ctx context.Context, text string, each func(relational.Scanner) error, args ...any) error {
	return rows(ctx, t.tx.StmtContext(ctx, t.pool.stmts[text]), each, args)
}

// Exec implements [relational.Tx].
func (t *tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	r, err := t.tx.StmtContext(ctx, t.pool.stmts[text]).ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Now implements [relational.Tx].
func (t *tx) Now() int64 { return time.Now().UnixMicro() }

// rows calls each for every row of a prepared query.
func rows(ctx context.Context, s *sql.Stmt, each func(relational.Scanner) error, args []any) (err error) {
	r, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for r.Next() {
		if err := each(r.Scan); err != nil {
			return err
		}
	}
	return r.Err()
}
