package main

import (
	"context"

	"github.com/stocktake/stocktake/internal/terminal"
)

type inventoryList struct {
	remote
	bucketFlag
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists configurations, page after page.
func (c *inventoryList) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	t := terminal.NewTable(con.out, "ID", "ENABLED", "FREQUENCY", "VERSIONS", "PREFIX", "REPORTS")
	for cfg, err := range cl.List(ctx, c.Bucket) {
		if err != nil {
			return explain(err, "list configurations of bucket "+c.Bucket)
		}
		if c.JSON {
			if err := terminal.NewEncoder(con.out).Encode(cfg); err != nil {
				return err
			}
			continue
		}
		t.Row(cfg.ID, cfg.IsEnabled, cfg.Schedule.Frequency, cfg.IncludedObjectVersions, cfg.Filter.Prefix, "oss://"+reportFolder(cfg, c.Bucket))
	}
	if c.JSON {
		return nil
	}
	return t.Flush("no configurations on bucket " + c.Bucket)
}
