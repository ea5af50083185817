package main

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/terminal"
)

type inventoryRuns struct {
	remote
	idFlag
	JSON bool `help:"Print one JSON object a line."`
}

// Run prints the history.
func (c *inventoryRuns) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	runs, err := cl.Runs(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "runs of "+c.ID+" of bucket "+c.Bucket)
	}
	if c.JSON {
		return terminal.PrintLines(con.out, runs)
	}
	t := terminal.NewTable(con.out, "RUN", "KIND", "STATE", "WHY", "DUE", "TOOK", "LISTED", "MATCHED", "BYTES", "REASON")
	for _, r := range runs {
		t.Row(r.ID, r.Kind, stateOf(r), r.Trigger, when(r.Due), runTime(r).Round(time.Millisecond), count(r.Listed), count(r.Matched), size(r.Bytes), r.Reason)
	}
	return t.Flush("no runs yet")
}
