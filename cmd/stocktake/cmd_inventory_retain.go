package main

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
)

type inventoryRetain struct {
	remote
	idFlag
	jsonFlag
	Reports int  `help:"Keep the N newest reports." placeholder:"N"`
	Days    int  `help:"Keep reports that are at most N days old." placeholder:"N"`
	All     bool `help:"Keep all reports."`
}

// Run sets which reports are kept.
func (c *inventoryRetain) Run(ctx context.Context, con console) error {
	if c.All && (c.Reports != 0 || c.Days != 0) {
		return usagef("--all cannot be combined with --reports or --days")
	}
	if !c.All && c.Reports == 0 && c.Days == 0 {
		return usagef("name the reports to keep: --reports N, --days N, both (either is enough to keep a report), or --all")
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	s, err := cl.Retain(ctx, c.Bucket, c.ID, stocktake.Retention{Reports: c.Reports, Days: c.Days})
	if err != nil {
		return explain(err, "retain reports of "+c.ID+" of bucket "+c.Bucket)
	}
	return c.say(con, s, "%s of bucket %s: %s", s.Configuration, s.Bucket, kept(s.Retention))
}

func kept(r stocktake.Retention) string {
	const others = "; the next successful run removes the others"
	switch {
	case r.Reports > 0 && r.Days > 0:
		return fmt.Sprintf("the newest %s and those of %s are kept"+others, many(int64(r.Reports), "report"), many(int64(r.Days), "day"))
	case r.Reports == 1:
		return "the newest report is kept" + others
	case r.Reports > 0:
		return fmt.Sprintf("the newest %s are kept"+others, many(int64(r.Reports), "report"))
	case r.Days > 0:
		return fmt.Sprintf("the reports of %s are kept"+others, many(int64(r.Days), "day"))
	}
	return "all reports are kept"
}
