package main

import (
	"context"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/inventoryxml"
)

type inventoryGet struct {
	remote
	idFlag
	Output string `help:"Output format: ${enum}. inventory put --file reads YAML and XML." enum:"yaml,xml,json" default:"yaml" short:"o"`
	JSON   bool   `help:"Same as --output json."`
}

// Run prints one configuration.
func (c *inventoryGet) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	cfg, err := cl.Get(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "get "+c.ID+" of bucket "+c.Bucket)
	}
	if c.JSON {
		c.Output = "json"
	}
	switch c.Output {
	case "xml":
		return terminal.WriteDocument(con.out, inventoryxml.AppendIndented(nil, &cfg), terminal.EscapeXML)
	case "json":
		return terminal.PrintJSON(con.out, cfg)
	}
	b, err := client.FormatYAML(cfg)
	if err != nil {
		return err
	}
	return terminal.WriteDocument(con.out, b, terminal.EscapeJSON)
}
