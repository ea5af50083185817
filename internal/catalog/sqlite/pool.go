package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	driver "modernc.org/sqlite"
)

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

// scanner reads the columns of a row.
type scanner func(dest ...any) error

// rows calls each for every row of a query.
func (p *pool) rows(ctx context.Context, text string, each func(scanner) error, args ...any) error {
	return rows(ctx, p.stmts[text], each, args)
}

func rows(ctx context.Context, s *sql.Stmt, each func(scanner) error, args []any) (err error) {
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

// A tx is a transaction of the writer.
type tx struct {
	tx   *sql.Tx
	pool *pool
}

func (t *tx) rows(ctx context.Context, text string, each func(scanner) error, args ...any) error {
	return rows(ctx, t.tx.StmtContext(ctx, t.pool.stmts[text]), each, args)
}

// exec returns the number of rows that the statement has changed.
func (t *tx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	r, err := t.tx.StmtContext(ctx, t.pool.stmts[text]).ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// number returns the one value of a query; 0 if it has no rows.
func (t *tx) number(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = t.rows(ctx, text, func(scan scanner) error { return scan(&n) }, args...)
	return n, err
}

func (p *pool) number(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = p.rows(ctx, text, func(scan scanner) error { return scan(&n) }, args...)
	return n, err
}
