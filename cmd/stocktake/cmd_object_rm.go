package main

import (
	"context"
	"fmt"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/terminal"
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
	var at []objectAddress
	for _, where := range c.Where {
		a, err := parseAddress(where)
		if err != nil {
			return err
		}
		if a.key == "" && !c.Recursive {
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
			if _, err := oc.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: &a.bucket, Key: &a.key}); err != nil {
				return explain(err, "delete "+a.String())
			}
			done.Objects++
			continue
		}
		if err := deleteBelow(ctx, oc, a, func(n int64) {
			done.Objects += n
			line.Show(fmt.Sprintf("deleting %s: %s", a, many(done.Objects, "object")))
		}); err != nil {
			return err
		}
	}
	line.Clear()
	return c.say(con, done, "deleted %s", many(done.Objects, "object"))
}

// deleteBelow deletes the objects whose keys start with a prefix, a page at a
// time, and calls done with the number of each.
func deleteBelow(ctx context.Context, oc *oss.Client, at objectAddress, done func(n int64)) error {
	var page []oss.DeleteObject
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := deleteObjects(ctx, oc, at.bucket, page)
		if err == nil {
			done(int64(len(page)))
		}
		page = page[:0]
		return err
	}
	for o, err := range objectsBelow(ctx, oc, at) {
		if err != nil {
			return err
		}
		page = append(page, oss.DeleteObject{Key: o.Key})
		if len(page) == 1000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
