package sqlite

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// LimitPages makes the database full once it has n more pages than now; n < 0
// removes the limit.
func (c *Catalog) LimitPages(ctx context.Context, n int) error {
	pages := 1 << 30
	if n >= 0 {
		if err := c.db.write.pool.db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		pages += n
	}
	_, err := c.db.write.pool.db.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}

// SetVersion imitates a database of a newer Stocktake.
func (c *Catalog) SetVersion(ctx context.Context, version int) error {
	_, err := c.db.write.pool.db.ExecContext(ctx, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1)", version))
	return err
}

// Hold lets changes wait until release, so that they are made together.
func (c *Catalog) Hold() (release func()) {
	c.db.write.turn <- struct{}{}
	return func() { <-c.db.write.turn }
}

// Transaction reports in which transaction a change is made.
func (c *Catalog) Transaction(ctx context.Context) (in any, err error) {
	err = c.db.write.change(ctx, func(_ context.Context, t *tx) error {
		in = t.tx
		return nil
	})
	return in, err
}

// Synchronous reads what SQLite syncs: 1 NORMAL, 2 FULL.
func (c *Catalog) Synchronous(ctx context.Context) (mode int, err error) {
	err = c.db.write.pool.db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&mode)
	return mode, err
}

// SetDocument replaces the document of a configuration.
func (c *Catalog) SetDocument(ctx context.Context, bucket, id, document string) error {
	_, err := c.db.write.pool.db.ExecContext(ctx, "UPDATE configurations SET document = $3 WHERE bucket = $1 AND id = $2", bucket, id, document)
	return err
}

// ReadForEver reads until ctx ends. Call it before other reads.
func (c *Catalog) ReadForEver(ctx context.Context) error {
	const text = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	if err := c.db.read.prepare(ctx, []string{text}); err != nil {
		return err
	}
	return c.db.Rows(ctx, text, func(relational.Scanner) error { return nil })
}
