package main

import (
	"context"
	"iter"
	"path"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
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
	var all iter.Seq2[transfer, error]
	switch {
	case c.Recursive:
		from, to = from.folderOrAll(), to.folderOrAll()
		if from.bucket == to.bucket && strings.HasPrefix(to.key, from.key) {
			return usagef("%s lies below %s: it would be copied into itself", to, from)
		}
		all = copies(ctx, oc, copier, from, to)
	case from.isFolder():
		return usagef("%s names no object: add its key, or copy all below it with --recursive", from)
	default:
		if to.isFolder() {
			to = to.below(path.Base(from.key))
		}
		head, err := oc.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: &from.bucket, Key: &from.key})
		if err != nil {
			return explain(err, "copy "+from.String())
		}
		all = func(yield func(transfer, error) bool) { yield(copyOf(copier, from, to, head.ContentLength), nil) }
	}
	done, err := transferAll(ctx, con, "copy", -1, all)
	if err != nil {
		return err
	}
	return c.say(con, done, "copied %s, %s, to %s", many(done.Objects, "object"), size(done.Bytes), to)
}

// copies yields the copies of all objects below a prefix.
func copies(ctx context.Context, oc *oss.Client, copier *oss.Copier, from, to objectAddress) iter.Seq2[transfer, error] {
	return func(yield func(transfer, error) bool) {
		for o, err := range objectsBelow(ctx, oc, from) {
			if err != nil {
				yield(transfer{}, err)
				return
			}
			key := oss.ToString(o.Key)
			if !yield(copyOf(copier, objectAddress{from.bucket, key}, to.below(strings.TrimPrefix(key, from.key)), o.Size), nil) {
				return
			}
		}
	}
}

func copyOf(copier *oss.Copier, from, to objectAddress, size int64) transfer {
	return transfer{name: from.String(), size: size, do: func(ctx context.Context) error {
		_, err := copier.Copy(ctx, &oss.CopyObjectRequest{Bucket: &to.bucket, Key: &to.key, SourceBucket: &from.bucket, SourceKey: &from.key})
		return err
	}}
}
