package main

import (
	"context"
	"fmt"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// bucketCmd is `stocktake bucket`: what it takes to begin without another client.
type bucketCmd struct {
	Create bucketCreate `cmd:"" help:"Make buckets."`
	List   bucketList   `cmd:"" help:"List buckets."`
	Delete bucketDelete `cmd:"" help:"Delete an empty bucket; its inventory configurations go with it."`
}

type bucketCreate struct {
	remote
	Names []string `arg:"" name:"bucket" help:"Names: 3 to 63 of a-z, 0-9 and '-'."`
}

// Run makes buckets; one that the account has already is no error.
func (c *bucketCreate) Run(ctx context.Context, con console) error {
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	for _, name := range c.Names {
		if _, err := oc.PutBucket(ctx, &oss.PutBucketRequest{Bucket: &name}); err != nil {
			return explain(err, "make bucket "+name)
		}
		fmt.Fprintf(con.out, "made bucket %s\n", name)
	}
	return nil
}

type bucketList struct{ remote }

// Run lists the buckets of the account.
func (c *bucketList) Run(ctx context.Context, con console) error {
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	t := newTable(con.out, "BUCKET", "CREATED", "CLASS")
	for p := oc.NewListBucketsPaginator(&oss.ListBucketsRequest{}); p.HasNext(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return explain(err, "list buckets")
		}
		for _, b := range page.Buckets {
			t.row(oss.ToString(b.Name), when(oss.ToTime(b.CreationDate)), oss.ToString(b.StorageClass))
		}
	}
	return t.flush("no buckets")
}

type bucketDelete struct {
	remote
	Name string `arg:"" name:"bucket" help:"Name."`
}

// Run deletes an empty bucket.
func (c *bucketDelete) Run(ctx context.Context, con console) error {
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	if _, err := oc.DeleteBucket(ctx, &oss.DeleteBucketRequest{Bucket: &c.Name}); err != nil {
		return explain(err, "delete bucket "+c.Name)
	}
	_, err = fmt.Fprintf(con.out, "deleted bucket %s\n", c.Name)
	return err
}
