package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// Stats returns the counts.
func (c *Catalog) Stats() relational.Stats {
	w := c.db.write
	return relational.Stats{
		Changes: w.changes.Load(), Commits: w.commits.Load(), Errors: w.errors.Load(), Took: time.Duration(w.took.Load()),
	}
}

// Size returns the size of the database and its log on disk, in bytes.
func (c *Catalog) Size(context.Context) (n int64, err error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(c.path + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}
