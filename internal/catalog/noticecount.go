package catalog

import "context"

// CountNotices gives how many notices wait to be told, and how many were given
// up.
func (c *Catalog) CountNotices(ctx context.Context) (waiting, dead int64, err error) {
	// Metrics ask this every few seconds, which does not want a prepared statement.
	const text = `SELECT count(*) FILTER (WHERE due > 0), count(*) FILTER (WHERE due = 0) FROM notices`
	err = c.read.db.QueryRowContext(ctx, text).Scan(&waiting, &dead)
	return waiting, dead, wrap("count notices", err)
}
