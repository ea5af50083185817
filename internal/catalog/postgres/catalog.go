// Package postgres is the catalog of many machines: they keep configurations and
// runs in one PostgreSQL database. Other packages keep what they share in its
// tables, too, by [Database.Transact].
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// A Catalog is an open database. Its leases are measured by the clock of the
// database server.
type Catalog struct {
	*relational.Catalog
	db *Database
}

// Open connects to a database whose tables are those of this version, and to
// no other: ErrOlder, ErrNewer, ErrServer.
func Open(ctx context.Context, cfg *pgxpool.Config) (*Catalog, error) {
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", Name(cfg), err)
	}
	if err := check(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the database %s: %w", Name(cfg), err)
	}
	db := &Database{pool: pool, name: Name(cfg)}
	return &Catalog{Catalog: relational.New(db), db: db}, nil
}

// Database returns the database that the catalog is in.
func (c *Catalog) Database() *Database { return c.db }

// Close closes the connections once what they do has ended.
func (c *Catalog) Close() error {
	c.db.pool.Close()
	return nil
}
