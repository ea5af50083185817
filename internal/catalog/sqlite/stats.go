package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Stats are counts of a catalog since it was opened.
type Stats struct {
	Changes int64         // that were asked for
	Commits int64         // transactions that were made
	Errors  int64         // transactions that failed
	Took    time.Duration // of the transactions, failed ones included
}

// Stats returns the counts.
func (c *Catalog) Stats() Stats {
	w := c.db.write
	return Stats{
		Changes: w.changes.Load(), Commits: w.commits.Load(), Errors: w.errors.Load(), Took: time.Duration(w.took.Load()),
	}
}

// Size returns how many bytes the database and its log take on disk.
func (c *Catalog) Size() (n int64, err error) {
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
