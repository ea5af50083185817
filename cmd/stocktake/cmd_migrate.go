package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/stocktake/stocktake/internal/server"
)

// migrateCmd is `stocktake migrate`.
type migrateCmd struct {
	Database      string `help:"The database. Default: STOCKTAKE_DATABASE." placeholder:"postgres://USER@HOST/NAME"`
	Import        string `help:"Then copy accounts, encryption keys and the root key of this data folder into the database, which must not have any. Needs the master key." type:"existingdir" placeholder:"FOLDER"`
	MasterKeyFile string `help:"File with the master key of the servers, for --import. Default: STOCKTAKE_MASTER_KEY." placeholder:"FILE"`

	Check bool `help:"Only check whether the tables are those of this version; exit code 1 if not."`
}

// Help is shown by --help below the flags.
func (migrateCmd) Help() string {
	return `Several machines may run it at once: one migrates, the others wait. Tables cannot be migrated
back. Connect to PostgreSQL directly, or through a pooler that keeps sessions. The output lists
running servers of an earlier version: they continue, but cannot start again on the migrated tables.
A server that the new tables no longer suit ends.`
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
	master, err := masterKey(c.MasterKeyFile)
	if err != nil {
		return err
	}
	if c.Import != "" && master == nil {
		return usagef("--import: the master key of the servers is needed: set %s or --master-key-file", masterEnv)
	}
	log := newLogger(con.err, slog.LevelInfo, "text")
	if c.Check {
		if err := server.CheckDatabase(ctx, address, log); err != nil {
			return err
		}
		_, err := sayln(con.out, "the tables are up to date; nothing to do")
		return err
	}
	if err := server.Migrate(ctx, address, log); err != nil {
		return err
	}
	if _, err := sayln(con.out, "the tables are up to date"); err != nil || c.Import == "" {
		return err
	}
	return c.carry(ctx, con, address, master)
}

// carry carries out --import.
func (c *migrateCmd) carry(ctx context.Context, con console, address string, master []byte) (err error) {
	shared, err := server.OpenShared(ctx, address, master, person())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shared.Close()) }()
	names, err := shared.Import(ctx, server.Folder(c.Import), master, master)
	if err != nil {
		return err
	}
	_, err = sayf(con.out, "imported: %s\n", strings.Join(names, ", "))
	return err
}
