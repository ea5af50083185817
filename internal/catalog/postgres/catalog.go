// Package postgres is the catalog of many machines: they keep configurations and
// runs in one PostgreSQL database. Other packages keep what they share in its
// tables, too, by [Database.Transact].
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

// Open connects to a database whose tables are those of this version, and to
// no other: ErrOlder, ErrNewer, ErrServer.
func Open(ctx context.Context, cfg *pgxpool.Config) (*Catalog, error) {
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, named("open the database", cfg, err)
	}
	if err := check(ctx, pool); err != nil {
		pool.Close()
		return nil, named("open the database", cfg, err)
	}
	db := &Database{pool: pool, name: Name(cfg)}
	return &Catalog{Catalog: relational.New(db), db: db}, nil
}

// Database returns the database that the catalog is in.
func (c *Catalog) Database() *Database { return c.db }

// Stats returns the counts of this process.
func (c *Catalog) Stats() relational.Stats {
	return relational.Stats{
		Changes: c.db.changes.Load(), Commits: c.db.commits.Load(), Errors: c.db.failures.Load(), Took: time.Duration(c.db.took.Load()),
	}
}

// Size returns how many bytes the database takes on the server's disk.
func (c *Catalog) Size(ctx context.Context) (n int64, err error) {
	err = c.db.Rows(ctx, "SELECT pg_database_size(current_database())", func(scan relational.Scanner) error { return scan(&n) })
	return n, err
}

// Close closes the connections once what they do has ended.
func (c *Catalog) Close() error {
	c.db.pool.Close()
	return nil
}
