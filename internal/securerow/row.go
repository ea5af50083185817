package securerow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/securefile"
)

// A Row is one document of a [Table].
type Row struct {
	table *Table
	name  string
	max   int

	now atomic.Pointer[content] // never nil
}

var _ securefile.Storage = (*Row)(nil)

// content is what is known of a row. It does not change.
type content struct {
	version  int64  // 0: there is no row
	document []byte // nil: there is no row
	writer   string
	looks    int64 // one more with each other content
	err      error // why the row cannot be read
}

// set replaces what is known, if it is different. The caller holds table.mu.
func (r *Row) set(c content) int64 {
	was := r.now.Load()
	if was.version == c.version && bytes.Equal(was.document, c.document) && (was.err == nil) == (c.err == nil) {
		return was.looks
	}
	c.looks = was.looks + 1
	r.now.Store(&c)
	return c.looks
}

// String implements [securefile.Storage].
func (r *Row) String() string { return "the row " + r.name + " of " + r.table.db.Name() }

// Look implements [securefile.Storage].
func (r *Row) Look() int64 { return r.now.Load().looks }

// Read implements [securefile.Storage].
func (r *Row) Read() ([]byte, error) {
	c := r.now.Load()
	return bytes.Clone(c.document), c.err
}

// Confirmed implements [securefile.Storage].
func (r *Row) Confirmed() error { return r.table.Confirmed() }

// Writer implements [securefile.Storage].
func (r *Row) Writer() string { return r.now.Load().writer }

// Version returns how often the document has changed; 0: there is none.
func (r *Row) Version() int64 { return r.now.Load().version }

// updateTimeout is how long a change may take, with everything that is repeated.
const updateTimeout = 60 * time.Second

// firstAttempts is how often a row that others make at the same time is looked for
// again.
const firstAttempts = 5

var errFaster = errors.New("another process has changed the row")

// Update implements [securefile.Storage]. Processes that change a row at once do so one after the other.
func (r *Row) Update(edit func(data []byte) ([]byte, error)) (seen int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), updateTimeout)
	defer cancel()
	t := r.table
	t.mu.Lock()
	defer t.mu.Unlock()
	var is content
	for range firstAttempts {
		err = t.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) (err error) {
			is, err = r.change(ctx, tx, edit)
			return err
		})
		if !errors.Is(err, errFaster) {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	return r.set(is), nil
}

// change carries out one transaction of Update and returns what the row holds when it
// is committed.
func (r *Row) change(ctx context.Context, tx postgres.Tx, edit func([]byte) ([]byte, error)) (content, error) {
	var is content
	var sealed []byte
	seal := r.table.seal.Load()
	err := tx.QueryRow(ctx, `SELECT version, content, writer FROM documents WHERE name = $1 FOR UPDATE`, r.name).Scan(&is.version, &sealed, &is.writer)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		if r.now.Load().version > 0 {
			return is, fmt.Errorf("%s: %w", r, securefile.ErrGone)
		}
	case err != nil:
		return is, err
	default:
		if is.document, seal, err = r.table.unseal(r.name, is.version, sealed); err != nil {
			return is, fmt.Errorf("%s: %w", r, err)
		}
	}
	after, err := edit(bytes.Clone(is.document))
	if err != nil {
		return is, err
	}
	if is.version > 0 && bytes.Equal(after, is.document) || is.version == 0 && after == nil {
		return is, nil
	}
	if len(after) > r.max {
		return is, fmt.Errorf("%s: more than %d bytes", r, r.max)
	}
	after = append([]byte{}, after...) // not nil, and not the caller's
	next := content{version: is.version + 1, document: after, writer: r.table.opts.Writer}
	sealed = seal.seal(r.name, next.version, after)
	statement := `UPDATE documents SET version = $2, content = $3, writer = $4, changed = $5 WHERE name = $1 AND version = $2 - 1`
	if is.version == 0 {
		statement = `INSERT INTO documents (name, version, content, writer, changed) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
	}
	tag, err := tx.Exec(ctx, statement, r.name, next.version, sealed, next.writer, tx.Now)
	if err != nil {
		return is, err
	}
	if tag.RowsAffected() == 0 {
		return is, errFaster
	}
	_, err = tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, r.name)
	return next, err
}
