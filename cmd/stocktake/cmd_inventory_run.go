package main

import (
	"context"
)

type inventoryRun struct {
	remote
	idFlag
	Wait bool `help:"Wait for the run to end, with a progress line; fail if it fails." short:"w"`
	JSON bool `help:"Print the run as JSON."`
}

// Run starts a run, or joins the one that is going.
func (c *inventoryRun) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	r, err := cl.Run(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "run "+c.ID+" of bucket "+c.Bucket)
	}
	if c.Wait {
		if r, err = wait(ctx, cl, r, con.err); err != nil {
			return err
		}
	}
	if c.JSON {
		if err := printJSON(con.out, r); err != nil {
			return err
		}
	} else {
		printRun(con.out, r)
	}
	return runError(r)
}
