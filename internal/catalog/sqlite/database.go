package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	driver "modernc.org/sqlite"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// A database is the relational.Database of a Catalog.
type database struct {
	write *writer
	read  *pool
}

// readers is how many connections read at once. Readers and the one writer do
// not wait for each other.
const readers = 4

// Rows implements [relational.Database].
func (d *database) Rows(ctx context.Context, text string, each func(relational.Scanner) error, args ...any) error {
	return d.read.rows(ctx, text, each, args)
}

// Change implements [relational.Database].
func (d *database) Change(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.write.now(ctx, func(ctx context.Context, t *tx) error { return do(ctx, t) })
}

// ChangeLazily implements [relational.Database].
func (d *database) ChangeLazily(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.write.later(ctx, func(ctx context.Context, t *tx) error { return do(ctx, t) })
}

// Explain implements [relational.Database].
func (d *database) Explain(err error) error { return damaged(err) }

// A pool is a set of connections and the statements prepared for them.
type pool struct {
	db    *sql.DB
	stmts map[string]*sql.Stmt // by text; not changed after prepare
}

func openPool(path string, common, own url.Values, conns int) (*pool, error) {
	// The file: form keeps a '?' or '%' of the path out of the parameters.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + common.Encode() + "&" + own.Encode()
	connector, err := driver.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return &pool{db: db, stmts: map[string]*sql.Stmt{}}, nil
}

func (p *pool) prepare(ctx context.Context, texts []string) error {
	for _, text := range texts {
		s, err := p.db.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("%w, in %s", err, text)
		}
		p.stmts[text] = s
	}
	return nil
}

// rows calls each for every row of a query.
func (p *pool) rows(ctx context.Context, text string, each func(relational.Scanner) error, args []any) error {
	return rows(ctx, p.stmts[text], each, args)
}

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

// close may be called on nil.
func (p *pool) close() error {
	if p == nil {
		return nil
	}
	var errs []error
	for _, s := range p.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, p.db.Close())...)
}
