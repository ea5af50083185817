package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	driver "modernc.org/sqlite"
)

// readers is the number of reading connections. Readers and the one writer do not
// wait for each other.
const readers = 4

// A pool is a set of connections and the statements prepared for them.
type pool struct {
	db    *sql.DB
	stmts map[string]*sql.Stmt // by text; not changed after prepare
}

func openPool(path string, common, own url.Values, conns int) (*pool, error) {
	// In the form file: a '?' or '%' of the path is not taken for a parameter.
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
