package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Backup writes a copy of the database, as of one instant, to the file at path,
// which must not exist. Changes wait meanwhile; reads do not.
func (c *Catalog) Backup(ctx context.Context, path string) error {
	// SQLite fills an empty file; it would create one that all users may read.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy the catalog: %w", err)
	}
	_, err = c.db.write.pool.db.ExecContext(ctx, "VACUUM INTO ?", path)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copy the catalog: %w", err)
	}
	return nil
}
