// Package sqlite implements the catalog of a server on one machine: it stores
// configurations and runs in an SQLite database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Catalog is an open database. Its leases are measured by the machine's clock.
type Catalog struct {
	*relational.Catalog
	path string // of the database
	db   database
}

// busyTimeout is how long a statement waits for another process, such as a
// backup, that has locked the database.
const busyTimeout = 5 * time.Second

// Open opens the database at path and brings its schema up to date. If the database
// or its folder is missing, Open creates it, accessible to the owner of the process
// only. A database of a newer Stocktake is rejected.
func Open(ctx context.Context, path string) (*Catalog, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	// SQLite would create it readable by all; the log next to it gets the same mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	// An answered change must survive a crash of the machine, so commits are synced
	// unless a writer says otherwise: synchronous is FULL, where NORMAL would suffice
	// for the integrity of a WAL database.
	common := url.Values{
		"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
	}
	c := &Catalog{path: path}
	c.Catalog = relational.New(&c.db)
	err = c.open(ctx, path, common)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w", path, damaged(err)), c.Close())
	}
	return c, nil
}

func (c *Catalog) open(ctx context.Context, path string, common url.Values) (err error) {
	write, err := openPool(path, common, url.Values{"_txlock": {"immediate"}}, 1)
	if err != nil {
		return err
	}
	c.db.write = newWriter(write)
	if err := migrate(ctx, write.db); err != nil {
		return err
	}
	if err := write.prepare(ctx, slices.Concat(relational.WriteStatements, savepoints)); err != nil {
		return err
	}
	if c.db.read, err = openPool(path, common, url.Values{"_query_only": {"1"}}, readers); err != nil {
		return err
	}
	return c.db.read.prepare(ctx, relational.ReadStatements)
}

// Close closes the database once its open statements have ended.
func (c *Catalog) Close() error {
	err := c.db.read.close()
	if c.db.write != nil {
		err = errors.Join(err, c.db.write.pool.close())
	}
	if err != nil {
		return fmt.Errorf("close catalog: %w", err)
	}
	return nil
}

// ErrNewer means that a newer Stocktake has written the database.
var ErrNewer = errors.New("the catalog was written by a newer version of stocktake; run that version, or restore the catalog from a backup")

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("schema version %d, known is %d: %w", have, want, ErrNewer)
	}
	_, err = p.Up(ctx)
	return err
}
