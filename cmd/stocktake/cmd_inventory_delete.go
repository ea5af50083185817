package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
)

type inventoryDelete struct {
	remote
	idFlag
}

// Run deletes; a configuration that is not there is not an error, as in the API,
// but it is said: the id may be mistyped.
func (c *inventoryDelete) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if _, err := cl.Get(ctx, c.Bucket, c.ID); errors.Is(err, stocktake.ErrNoSuchInventory) {
		fmt.Fprintf(con.out, "bucket %s has no configuration %s: nothing to delete\n", c.Bucket, c.ID)
		return nil
	}
	if err := cl.Delete(ctx, c.Bucket, c.ID); err != nil {
		return explain(err, "delete "+c.ID+" of bucket "+c.Bucket)
	}
	fmt.Fprintf(con.out, "deleted %s of bucket %s\n", c.ID, c.Bucket)
	return nil
}
