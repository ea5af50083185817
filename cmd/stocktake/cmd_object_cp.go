package main

import (
	"context"
	"iter"
	"path"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/transfer"
)

type objectCp struct {
	remote
	jsonFlag
	From      string `arg:"" help:"oss://BUCKET/KEY, or with --recursive oss://BUCKET/PREFIX."`
	To        string `arg:"" help:"oss://BUCKET/KEY, or oss://BUCKET/PREFIX/ to keep the name."`
	Recursive bool   `help:"Copy all objects below a prefix." short:"r"`
}

// Run copies within the service: no bytes pass through this machine.
func (c *objectCp) Run(ctx context.Context, con console) error {
	from, err := parseAddress(c.From)
	if err != nil {
		return err
	}
	to, err := parseAddress(c.To)
	if err != nil {
		return err
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	copier := oc.NewCopier()
	var all iter.Seq2[transfer.Item, error]
	switch {
	case c.Recursive:
		from, to = from.FolderOrAll(), to.FolderOrAll()
		if from.Bucket == to.Bucket && strings.HasPrefix(to.Key, from.Key) {
			return usagef("%s lies below %s: it would be copied into itself", to, from)
		}
		all = transfer.Copies(ctx, oc, copier, from, to)
	case from.IsFolder():
		return usagef("%s names no object: add its key, or copy all below it with --recursive", from)
	default:
		if to.IsFolder() {
			to = to.Below(path.Base(from.Key))
		}
		head, err := oc.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: &from.Bucket, Key: &from.Key})
		if err != nil {
			return explain(err, "copy "+from.String())
		}
		all = func(yield func(transfer.Item, error) bool) {
			yield(transfer.Copy(copier, from, to, head.ContentLength), nil)
		}
	}
	done, err := transfer.All(ctx, con.err, "copy", -1, all)
	if err != nil {
		return explainTransfer(err)
	}
	return c.say(con, done, "copied %s, %s, to %s", many(done.Objects, "object"), size(done.Bytes), to)
}
