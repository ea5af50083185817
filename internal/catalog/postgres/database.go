package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake/internal/catalog/relational"
	"github.com/stocktake/stocktake/internal/object"
)

// A Database is the connection pool of a process. It is the relational.Database of
// its [Catalog].
type Database struct {
	pool *pgxpool.Pool
	name string

	tables     schema // that this program knows
	connecting *connecting

	changes, commits, failures, took atomic.Int64 // see relational.Stats; took in nanoseconds
}

// Pool returns the connections.
func (d *Database) Pool() *pgxpool.Pool { return d.pool }

// Name returns the name of the database in logs, without its password.
func (d *Database) Name() string { return d.name }

// ErrReadOnly reports a database that answers and refuses writes, such as a standby, or a server
// with default_transaction_read_only.
var ErrReadOnly = errors.New("the database is read-only")

// Writable asks the database whether it takes writes. It returns ErrReadOnly if it does not.
func (d *Database) Writable(ctx context.Context) error {
	var readOnly string
	if err := d.pool.QueryRow(ctx, `SELECT current_setting('transaction_read_only')`).Scan(&readOnly); err != nil {
		return err
	}
	if readOnly == "on" {
		return ErrReadOnly
	}
	return nil
}

// Row reads the only row of a query into dest. It returns pgx.ErrNoRows if there is
// none. The query must not change anything, because it is repeated if the
// connection was lost. If the database is unavailable, the error is an
// object.ErrUnavailable.
func (d *Database) Row(ctx context.Context, dest []any, text string, args ...any) error {
	return d.explain(ctx, d.repeat(ctx, func() error {
		if err := d.pool.QueryRow(ctx, text, args...).Scan(dest...); err != nil {
			return before{err}
		}
		return nil
	}))
}

// Rows implements [relational.Database]. The query is repeated if the connection
// was lost before its first row. If the database is unavailable, the error is an
// object.ErrUnavailable.
func (d *Database) Rows(ctx context.Context, text string, each func(relational.Scanner) error, args ...any) error {
	return d.explain(ctx, d.repeat(ctx, func() error {
		began := false
		err := rows(ctx, d.pool, text, func(scan relational.Scanner) error {
			began = true
			return each(scan)
		}, args)
		if err != nil && !began {
			return before{err}
		}
		return err
	}))
}

// Change implements [relational.Database].
func (d *Database) Change(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.Transact(ctx, func(ctx context.Context, t Tx) error { return do(ctx, change{t}) })
}

// ChangeLazily implements [relational.Database]. It also waits for the disk: a
// process outlives a crash of the database's machine, and must not rely on changes
// that the database has lost.
func (d *Database) ChangeLazily(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.Change(ctx, do)
}

// explain is Explain of an error of a call with ctx. A time that has run out without ctx
// being over is that of the connection.
func (d *Database) explain(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, object.ErrUnavailable) {
		return fmt.Errorf("%w: %w", object.ErrUnavailable, err)
	}
	return d.Explain(err)
}

// Explain implements [relational.Database].
func (d *Database) Explain(err error) error {
	if err == nil || errors.Is(err, object.ErrUnavailable) || errors.Is(err, object.ErrDiskFull) {
		return err // it is explained already
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "53100" {
		return fmt.Errorf("%w: %w", object.ErrDiskFull, err)
	}
	if advice := refusal(err); advice != "" {
		return fmt.Errorf("%w: %w: %s", object.ErrUnavailable, err, advice)
	}
	if away(err) || lost(err) || errors.Is(err, ErrUnknown) {
		return fmt.Errorf("%w: %w", object.ErrUnavailable, err)
	}
	return err
}

// A change is the relational.Tx of a transaction.
type change struct{ tx Tx }

// Rows implements [relational.Tx].
func (c change) Rows(ctx context.Context, text string, each func(relational.Scanner) error, args ...any) error {
	return rows(ctx, c.tx, text, each, args)
}

// Exec implements [relational.Tx].
func (c change) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	tag, err := c.tx.Exec(ctx, text, storable(args)...)
	return tag.RowsAffected(), err
}

// Now implements [relational.Tx].
func (c change) Now() int64 { return c.tx.Now }

// A querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

func rows(ctx context.Context, q querier, text string, each func(relational.Scanner) error, args []any) error {
	r, err := q.Query(ctx, text, storable(args)...)
	if err != nil {
		return err
	}
	defer r.Close()
	scan := func(dest ...any) error {
		for i, d := range dest {
			if raw, ok := d.(*sql.RawBytes); ok {
				dest[i] = (*pgtype.DriverBytes)(raw) // holds until the next row, too
			}
		}
		return r.Scan(dest...)
	}
	for r.Next() {
		if err := each(scan); err != nil {
			return err
		}
	}
	return r.Err()
}

// storable replaces in text what PostgreSQL cannot store: NUL, and bytes that are
// not UTF-8. Reasons may quote such text, and clients may send it in names. Keys of
// objects are percent-encoded before.
func storable(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && (!utf8.ValidString(s) || strings.Contains(s, "\x00")) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// disconnected reports whether err means that the connection has ended.
func disconnected(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || strings.Contains(err.Error(), "conn closed")
}
