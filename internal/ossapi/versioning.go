package ossapi

import (
	"net/http"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putBucketVersioning answers PutBucketVersioning.
func (c *call) putBucketVersioning() error {
	doc, err := c.body.XML("VersioningConfiguration", request.MaxDocument)
	if err != nil {
		return err
	}
	var state object.Versioning
	switch v := doc.Value("Status"); v {
	case "Enabled":
		state = object.Enabled
	case "Suspended":
		state = object.Suspended
	default:
		return ossxml.Malformed("Status is " + request.Bounded(v) + ", neither Enabled nor Suspended")
	}
	return c.update(http.StatusOK, func(b *object.Bucket) error {
		b.Versioning = state
		return nil
	})
}

// getBucketVersioning answers GetBucketVersioning.
func (c *call) getBucketVersioning() error {
	return c.xml(func(x *ossxml.Writer) {
		x.Start("VersioningConfiguration")
		x.Optional("Status", c.bucket.Versioning.String())
		x.End("VersioningConfiguration")
	})
}
