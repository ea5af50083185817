package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/stocktake/stocktake/internal/server"
)

// migrateCmd is `stocktake migrate`.
type migrateCmd struct {
	Database string `help:"The database. Default: STOCKTAKE_DATABASE." placeholder:"postgres://USER@HOST/NAME"`
	Check    bool   `help:"Only say whether the tables are those of this version; exit code 1 if not."`
}

// Help is shown by --help below the flags.
func (migrateCmd) Help() string {
	return `It is safe to run from several machines at once: one migrates, the others wait. Tables
go forward only. It must reach the server directly, not by a pooler of transactions.`
}

// Run migrates, or only checks.
func (c *migrateCmd) Run(ctx context.Context, con console) error {
	address := c.Database
	if address == "" {
		address = os.Getenv(envPrefix + "DATABASE")
	}
	if address == "" {
		return usagef("--database: a value is needed, or STOCKTAKE_DATABASE")
	}
	if c.Check {
		if err := server.CheckDatabase(ctx, address); err != nil {
			return err
		}
		_, err := sayln(con.out, "the tables are those of this version")
		return err
	}
	if err := server.Migrate(ctx, address, newLogger(con.err, slog.LevelInfo, "text")); err != nil {
		return err
	}
	_, err := sayln(con.out, "the tables are up to date")
	return err
}
