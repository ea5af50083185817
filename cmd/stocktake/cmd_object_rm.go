package main

import (
	"context"
	"fmt"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/internal/transfer"
)

type objectRm struct {
	remote
	jsonFlag
	Where     []string `arg:"" name:"object" help:"oss://BUCKET/KEY, or with --recursive oss://BUCKET/PREFIX."`
	Recursive bool     `help:"Delete all objects whose keys start with the prefix." short:"r"`
}

type objectsDeleted struct {
	Objects int64 `json:"objects"`
}

// Run deletes. In a bucket with versioning the versions stay, as in the API. An
// object that is not there is not an error, also as in the API.
func (c *objectRm) Run(ctx context.Context, con console) error {
	var at []transfer.Address
	for _, where := range c.Where {
		a, err := parseAddress(where)
		if err != nil {
			return err
		}
		if a.Key == "" && !c.Recursive {
			return usagef("%s names no object: add its key, or delete all with --recursive", a)
		}
		at = append(at, a)
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	line := terminal.NewStatusLine(con.err)
	defer line.Clear()
	var done objectsDeleted
	for _, a := range at {
		if !c.Recursive {
			if _, err := oc.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: &a.Bucket, Key: &a.Key}); err != nil {
				return explain(err, "delete "+a.String())
			}
			done.Objects++
			continue
		}
		if err := transfer.DeleteBelow(ctx, oc, a, func(n int64) {
			done.Objects += n
			line.Show(fmt.Sprintf("deleting %s: %s", a, many(done.Objects, "object")))
		}); err != nil {
			return explainTransfer(err)
		}
	}
	line.Clear()
	return c.say(con, done, "deleted %s", many(done.Objects, "object"))
}
