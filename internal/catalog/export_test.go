package catalog

import (
	"context"
	"fmt"
)

// LimitPages makes the database full once it has n pages more than now; n < 0
// lifts the limit.
func (c *Catalog) LimitPages(ctx context.Context, n int) error {
	pages := 1 << 30
	if n >= 0 {
		if err := c.write.db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		pages += n
	}
	_, err := c.write.db.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}

// SetVersion pretends that a newer Stocktake has been here.
func (c *Catalog) SetVersion(ctx context.Context, version int) error {
	_, err := c.write.db.ExecContext(ctx, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1)", version))
	return err
}
