package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

type inventoryGet struct {
	remote
	idFlag
	Output string `help:"Form: ${enum}. YAML and XML can be put again with --file." enum:"yaml,xml,json" default:"yaml" short:"o"`
	JSON   bool   `help:"The same as --output json."`
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
		return printXML(con.out, cfg)
	case "json":
		return printJSON(con.out, cfg)
	}
	b, err := client.FormatYAML(cfg)
	if err != nil {
		return err
	}
	_, err = con.out.Write(b)
	return err
}

func printXML(w io.Writer, cfg stocktake.InventoryConfiguration) error {
	dec := xml.NewDecoder(strings.NewReader(string(cfg.AppendXML(nil))))
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := enc.EncodeToken(tok); err != nil {
			return err
		}
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
