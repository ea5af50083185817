package main

import (
	"context"
	"fmt"
)

type inventoryCancel struct {
	remote
	idFlag
}

// Run cancels the run that is going; its shards are removed.
func (c *inventoryCancel) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	r, err := cl.Cancel(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "cancel "+c.ID+" of bucket "+c.Bucket)
	}
	fmt.Fprintf(con.out, "run %s of %s on bucket %s: %s\n", r.ID, r.Configuration, r.Bucket, r.State)
	return nil
}
