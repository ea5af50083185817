package ossapi

import (
	"net/http"
	"strconv"
)

// appendObject answers AppendObject.
func (c *call) appendObject() error {
	position, err := c.query.Int64("position")
	if err != nil {
		return err
	}
	p, err := c.newPut()
	if err != nil {
		return err
	}
	if err := c.body.Describe(&p); err != nil {
		return err
	}
	p.SetACL = c.r.Header.Get("X-Oss-Object-Acl") != ""
	info, err := c.Store.AppendObject(c.ctx, c.origin(), p, position, c.body)
	if err != nil {
		return err
	}
	c.setWriteHeaders(&info)
	c.set("x-oss-next-append-position", strconv.FormatInt(info.Size, 10))
	return c.empty(http.StatusOK)
}

// sealAppendObject answers SealAppendObject.
func (c *call) sealAppendObject() error {
	position, err := c.query.Int64("position")
	if err != nil {
		return err
	}
	info, err := c.Store.SealAppendObject(c.ctx, c.origin(), c.at.Bucket, c.at.Key, position)
	if err != nil {
		return err
	}
	c.set("x-oss-sealed-time", lastModified(info.LastModified))
	c.set("x-oss-version-id", info.VersionID)
	return c.empty(http.StatusOK)
}
