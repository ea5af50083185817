// Package postgres implements the catalog for several machines: they share
// configurations and runs in one PostgreSQL database. Other packages store shared
// data in its tables, too, with [Database.Transact].
package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// A Catalog is an open database. Its leases are measured by the clock of the
// database server.
type Catalog struct {
	*relational.Catalog
	db *Database
}

// Open connects to a database. Its tables must be those of this version; otherwise
// Open returns ErrOlder, ErrNewer or ErrServer.
func Open(ctx context.Context, cfg *pgxpool.Config) (*Catalog, error) {
	tried := &connecting{}
	cfg = cfg.Copy()
	cfg.ConnConfig.Tracer = tried
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, named("open the database", cfg, err)
	}
	tables, err := check(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, named("open the database", cfg, err)
	}
	db := &Database{pool: pool, name: Name(cfg), connecting: tried, tables: tables}
	return &Catalog{Catalog: relational.New(db), db: db}, nil
}

// Database returns the database of the catalog.
func (c *Catalog) Database() *Database { return c.db }

// Stats returns the counts of this process.
func (c *Catalog) Stats() relational.Stats {
	return relational.Stats{
		Changes: c.db.changes.Load(), Commits: c.db.commits.Load(), Errors: c.db.failures.Load(), Took: time.Duration(c.db.took.Load()),
	}
}

// Size returns the size of the database on the server's disk, in bytes.
func (c *Catalog) Size(ctx context.Context) (n int64, err error) {
	err = c.db.Rows(ctx, "SELECT pg_database_size(current_database())", func(scan relational.Scanner) error { return scan(&n) })
	return n, err
}

// Close closes the connections after their current operations.
func (c *Catalog) Close() error {
	c.db.pool.Close()
	return nil
}
