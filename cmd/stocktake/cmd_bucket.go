package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/internal/transfer"
)

// bucketCmd is `stocktake bucket`: enough to begin without another client.
type bucketCmd struct {
	Create bucketCreate `cmd:"" help:"Create buckets."`
	List   bucketList   `cmd:"" aliases:"ls" help:"List buckets."`
	Delete bucketDelete `cmd:"" help:"Delete an empty bucket, or with --force a bucket and its objects. Its configurations are deleted too."`
}

type bucketCreate struct {
	remote
	jsonFlag
	Names []string `arg:"" name:"bucket" help:"Names: 3 to 63 of a-z, 0-9 and '-'."`
}

// Run creates buckets. A bucket that the account already has is reported, but is not an error.
// Names are checked before any bucket is created.
func (c *bucketCreate) Run(ctx context.Context, con console) error {
	for _, name := range c.Names {
		if !stocktake.ValidBucketName(name) {
			return usagef("create bucket %s: %w", printable(name), transfer.ErrBucketName)
		}
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	for _, name := range c.Names {
		existed, err := oc.IsBucketExist(ctx, name)
		if err != nil {
			return explain(err, "look for bucket "+name)
		}
		if _, err := oc.PutBucket(ctx, &oss.PutBucketRequest{Bucket: &name}); err != nil {
			return explain(err, "create bucket "+name)
		}
		said := "created bucket %s"
		if existed {
			said = "bucket %s already exists"
		}
		if err := c.say(con, bucketCreated{name, !existed}, said, name); err != nil {
			return err
		}
	}
	return nil
}

type bucketCreated struct {
	Bucket  string `json:"bucket"`
	Created bool   `json:"created"` // false: it existed
}

type bucketList struct {
	remote
	JSON bool `help:"Print one JSON object a line."`
}

// A bucketLine is a bucket in a listing.
type bucketLine struct {
	Bucket  string    `json:"bucket"`
	Created time.Time `json:"created"`
	Class   string    `json:"storageClass"`
}

// Run lists the buckets of the account.
func (c *bucketList) Run(ctx context.Context, con console) error {
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	var all []bucketLine
	for p := oc.NewListBucketsPaginator(&oss.ListBucketsRequest{}); p.HasNext(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return explain(err, "list buckets")
		}
		for _, b := range page.Buckets {
			all = append(all, bucketLine{oss.ToString(b.Name), oss.ToTime(b.CreationDate), oss.ToString(b.StorageClass)})
		}
	}
	if c.JSON {
		return terminal.PrintLines(con.out, all)
	}
	t := terminal.NewTable(con.out, "BUCKET", "CREATED", "CLASS")
	for _, b := range all {
		t.Row(b.Bucket, when(b.Created), b.Class)
	}
	return t.Flush("no buckets")
}

type bucketDelete struct {
	remote
	jsonFlag
	Name  string `arg:"" name:"bucket" help:"Name."`
	Force bool   `help:"Delete all objects, versions and unfinished uploads in it first."`
}

type bucketDeleted struct {
	Bucket string `json:"bucket"`
	transfer.Emptied
}

// Run deletes a bucket.
func (c *bucketDelete) Run(ctx context.Context, con console) error {
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	var was transfer.Emptied
	if c.Force {
		line := terminal.NewStatusLine(con.err)
		was, err = transfer.Empty(ctx, oc, c.Name, func(e transfer.Emptied) { line.Show("emptying " + c.Name + ": " + e.String()) })
		line.Clear()
		if err != nil {
			return explainTransfer(err)
		}
	}
	if _, err := oc.DeleteBucket(ctx, &oss.DeleteBucketRequest{Bucket: &c.Name}); err != nil {
		if serr, ok := serviceError(err); ok && serr.Code == "BucketNotEmpty" {
			return fmt.Errorf("%w; --force deletes its contents", explain(err, "delete bucket "+c.Name))
		}
		return explain(err, "delete bucket "+c.Name)
	}
	said := "deleted bucket " + c.Name
	if was != (transfer.Emptied{}) {
		said += " with " + was.String()
	}
	return c.say(con, bucketDeleted{c.Name, was}, "%s", said)
}
