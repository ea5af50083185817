package main

import (
	"context"
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
	t := newTable(con.out, "ID", "ENABLED", "FREQUENCY", "VERSIONS", "PREFIX", "REPORTS")
	for cfg, err := range cl.List(ctx, c.Bucket) {
		if err != nil {
			return explain(err, "list configurations of bucket "+c.Bucket)
		}
		if c.JSON {
			if err := newJSON(con.out).Encode(cfg); err != nil {
				return err
			}
			continue
		}
		t.row(cfg.ID, cfg.IsEnabled, cfg.Schedule.Frequency, cfg.IncludedObjectVersions, cfg.Filter.Prefix, "oss://"+reportFolder(cfg, c.Bucket))
	}
	if c.JSON {
		return nil
	}
	return t.flush("no configurations on bucket " + c.Bucket)
}
