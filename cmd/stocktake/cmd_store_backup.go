package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/stocktake/stocktake/client"
)

type storeBackup struct {
	remote
	jsonFlag
	Folder string `arg:"" help:"Folder on the server's machine, which must not exist."`
}

// Help is shown by --help below the flags.
func (storeBackup) Help() string {
	return `The backup holds the whole data folder as of one instant: index,
objects, catalog, accounts and keys. On the disk of the data folder it consists of hard links
and takes little space; copy it to another disk or machine.

To restore it, stop the server and start one with the backup, or a copy of it, as its data
folder: serve --data FOLDER. The backup holds secrets: keep it as safe as the data folder.`
}

// Run makes a backup.
func (c *storeBackup) Run(ctx context.Context, con console) error {
	dir, err := filepath.Abs(c.Folder)
	if err != nil {
		return err
	}
	admin, err := c.admin()
	if err != nil {
		return err
	}
	if err := admin.Backup(ctx, dir); err != nil {
		if refused, ok := errors.AsType[*client.AdminError](err); ok && refused.StatusCode == http.StatusConflict {
			return fmt.Errorf("back up to %s: %s", printable(dir), printable(refused.Message))
		}
		return c.refused(err)
	}
	return c.say(con, map[string]string{"backup": dir}, "backed up the data folder to %s", dir)
}
