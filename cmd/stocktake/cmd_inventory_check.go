package main

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/terminal"
)

type inventoryCheck struct {
	remote
	idFlag
	JSON bool `help:"Print the status as JSON."`
}

// Run makes the checks of a run without starting one.
func (c *inventoryCheck) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	s, err := cl.Check(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "check "+c.ID+" of bucket "+c.Bucket)
	}
	if c.JSON {
		err = terminal.PrintJSON(con.out, s)
	} else {
		err = printCheck(con, s)
	}
	if err == nil && len(s.Warnings) > 0 {
		err = fmt.Errorf("%s of bucket %s: its next run will fail", s.Configuration, s.Bucket)
	}
	return err
}

func printCheck(con console, s stocktake.InventoryStatus) error {
	if len(s.Warnings) == 0 {
		_, err := sayf(con.out, "%s of bucket %s: destination, role and key are usable\n", s.Configuration, s.Bucket)
		return err
	}
	for _, w := range s.Warnings {
		if _, err := sayf(con.out, "WRONG  %s\n", w); err != nil {
			return err
		}
	}
	return nil
}
