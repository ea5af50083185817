package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/store"
)

type storeRepair struct {
	Data string `group:"Connection" help:"Data folder of the server." default:"./stocktake-data" type:"path"`
}

// Help is shown by --help below the flags.
func (storeRepair) Help() string {
	return `Makes a new index of all ranges that can be read and, for those that cannot, of the newest
checkpoint that has them. Objects whose bytes are gone are dropped. Everything that is lost,
or may be older than it was, is listed. The damaged index stays in the folder under another
name. Nothing is changed if nothing is damaged.`
}

// Run repairs the index.
func (c *storeRepair) Run(ctx context.Context, con console) error {
	folder := server.Folder(c.Data)
	if st, err := os.Stat(folder.Index()); err != nil || !st.IsDir() {
		return usagef("--data: %s holds no store: there is no folder index in it", c.Data)
	}
	if err := folder.Check(); err != nil {
		return err
	}
	done, err := store.Repair(ctx, c.Data, newLogger(con.err, slog.LevelError, "text"), func(p store.Problem) {
		sayf(con.out, "%s\n", printable(p.String()))
	})
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("another server is using the folder %s: stop it", c.Data)
	case err != nil:
		return err
	case done.Damage == "":
		_, err = sayln(con.out, "the index has no damage")
		return err
	}
	sayf(con.out, "repaired %s: kept %s, took %s from checkpoints, lost %s and %s\n", c.Data, many(done.Kept, "row"), many(done.Older, "row"),
		many(done.Lost, "object"), many(done.Gaps, "range"))
	_, err = sayln(con.out, "the damaged index is in "+done.Damage)
	return err
}
