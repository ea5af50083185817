package main

import (
	"context"
	"slices"

	"github.com/stocktake/stocktake"
)

type inventoryRun struct {
	remote
	idFlag
	jsonFlag
	Wait bool `help:"Wait for the run; exit code 1 if it fails." short:"w"`
}

// Run starts a run, or joins the one in progress and reports this.
func (c *inventoryRun) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	before, err := cl.Runs(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "run "+c.ID+" of bucket "+c.Bucket)
	}
	r, err := cl.Run(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "run "+c.ID+" of bucket "+c.Bucket)
	}
	if slices.ContainsFunc(before, func(b stocktake.Run) bool { return b.ID == r.ID }) {
		sayln(con.err, "joined the run that is in progress")
	}
	if c.Wait {
		if r, err = wait(ctx, cl, r, con.err); err != nil {
			return err
		}
	}
	if err := printRun(con.out, c.jsonFlag, r); err != nil {
		return err
	}
	return runError(r)
}
