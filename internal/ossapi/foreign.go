package ossapi

import (
	"fmt"
	"net/url"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// notInForeign returns the error for an operation that is not supported on a bucket of
// a store named in the settings file. It names the endpoint that supports it.
func notInForeign(b *object.Bucket) error {
	return &request.DetailError{Err: request.ErrNotImplemented, Text: fmt.Sprintf(
		"The bucket %s is in the store %s, of which this server offers inventories only. For everything else use the endpoint %s.", b.Name, b.Store, b.Endpoint)}
}

// getForeignInfo answers GetBucketInfo for a bucket of a store named in the
// settings file. It returns the owner, region and location that the settings state.
func (c *call) getForeignInfo() error {
	if err := c.Buckets.CheckBucket(c.ctx, c.at.Bucket); err != nil {
		return err
	}
	b := &c.bucket
	host := b.Endpoint
	if u, err := url.Parse(b.Endpoint); err == nil {
		host = u.Host
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("BucketInfo")
		x.Start("Bucket")
		x.Text("Name", b.Name)
		x.Text("Location", location(b.Region))
		x.Text("ExtranetEndpoint", host)
		x.Text("IntranetEndpoint", host)
		if b.S3 {
			x.Text("StorageClass", b.StorageClass.String())
		}
		x.Owner(b.Owner)
		x.Start("AccessControlList")
		x.Text("Grant", b.ACL.String())
		x.End("AccessControlList")
		x.End("Bucket")
		x.End("BucketInfo")
	})
}

// location returns a region as OSS writes it, such as "oss-cn-hangzhou".
func location(region string) string { return "oss-" + region }
