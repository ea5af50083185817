package main

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
)

type inventoryDelete struct {
	remote
	idFlag
	jsonFlag
}

// Run deletes a configuration. A missing one is not an error, as in the API, but is reported: the
// id may be mistyped.
func (c *inventoryDelete) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if _, err := cl.Get(ctx, c.Bucket, c.ID); errors.Is(err, stocktake.ErrNoSuchInventory) {
		return c.say(con, inventoryDeleted{c.Bucket, c.ID, false}, "bucket %s has no configuration %s: nothing to delete", c.Bucket, c.ID)
	}
	if err := cl.Delete(ctx, c.Bucket, c.ID); err != nil {
		return explain(err, "delete "+c.ID+" of bucket "+c.Bucket)
	}
	return c.say(con, inventoryDeleted{c.Bucket, c.ID, true}, "deleted %s of bucket %s", c.ID, c.Bucket)
}

type inventoryDeleted struct {
	Bucket        string `json:"bucket"`
	Configuration string `json:"configuration"`
	Deleted       bool   `json:"deleted"` // false: there was none
}
