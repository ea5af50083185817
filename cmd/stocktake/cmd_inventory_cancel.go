package main

import (
	"context"
)

type inventoryCancel struct {
	remote
	idFlag
	jsonFlag
}

// Run cancels the run in progress; its shards are removed.
func (c *inventoryCancel) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	r, err := cl.Cancel(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "cancel "+c.ID+" of bucket "+c.Bucket)
	}
	return c.say(con, r, "run %s of %s on bucket %s: %s", r.ID, r.Configuration, r.Bucket, r.State)
}
