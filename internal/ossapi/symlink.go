package ossapi

import (
	"net/http"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putSymlink answers PutSymlink. The target need not exist.
func (c *call) putSymlink() error {
	const name = "x-oss-symlink-target"
	raw := c.r.Header.Get(name)
	target, err := request.Unescape(raw)
	if err != nil || !stocktake.ValidKey(target) {
		return request.InvalidArgument(name, raw, "the percent-encoded name of an object is expected")
	}
	p, err := c.newPut()
	if err != nil {
		return err
	}
	info, err := c.Store.PutSymlink(c.ctx, c.origin(), p, target)
	if err != nil {
		return err
	}
	c.set("ETag", quoteETag(&info))
	c.set("x-oss-version-id", info.VersionID)
	return c.empty(http.StatusOK)
}

// getSymlink answers GetSymlink.
func (c *call) getSymlink() error {
	v, err := c.version()
	if err != nil {
		return err
	}
	info, err := c.Store.Head(c.ctx, v)
	if err != nil {
		return c.markerDetail(err, v)
	}
	if info.Type != stocktake.Symlink {
		return object.ErrNotSymlink
	}
	for _, m := range info.Headers.Meta {
		c.set("x-oss-meta-"+m.Name, m.Value)
	}
	c.set("x-oss-symlink-target", string(ossxml.AppendURL(nil, info.Symlink)))
	c.set("ETag", quoteETag(&info))
	c.set("Last-Modified", lastModified(info.LastModified))
	c.set("x-oss-object-type", info.Type.String())
	c.set("x-oss-version-id", info.VersionID)
	return c.empty(http.StatusOK)
}
