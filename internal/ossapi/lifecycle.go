package ossapi

import (
	"net/http"
	"strings"

	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/bucketxml"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putBucketLifecycle answers PutBucketLifecycle.
func (c *call) putBucketLifecycle() error {
	overlap := strings.EqualFold(c.r.Header.Get("X-Oss-Allow-Same-Action-Overlap"), "true")
	doc, err := c.body.XML("LifecycleConfiguration", request.MaxDocument)
	if err != nil {
		return err
	}
	l, err := bucketxml.ParseLifecycle(doc)
	if err != nil {
		return err
	}
	if err := lifecycle.Check(&l, overlap); err != nil {
		return err
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.Lifecycle = &l })
}

// expiration returns the value of x-oss-expiration; empty if no rule of the bucket
// will delete the object.
func (c *call) expiration(info *object.Info) string {
	if c.bucket.Lifecycle == nil {
		return ""
	}
	return lifecycle.NewRules(c.bucket.Lifecycle).Header(info)
}

// getBucketLifecycle answers GetBucketLifecycle.
func (c *call) getBucketLifecycle() error {
	if c.bucket.Lifecycle == nil {
		return errNoLifecycle
	}
	return c.xml(func(x *ossxml.Writer) { bucketxml.WriteLifecycle(x, c.bucket.Lifecycle) })
}

// deleteBucketLifecycle answers DeleteBucketLifecycle.
func (c *call) deleteBucketLifecycle() error {
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) { b.Lifecycle = nil })
}
