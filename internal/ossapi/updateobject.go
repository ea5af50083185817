package ossapi

import "github.com/stocktake/stocktake/internal/object"

// changeObject changes the state of the version that the request names, and
// answers without a body.
func (c *call) changeObject(status int, change func(*object.Info) error) error {
	v, err := c.version()
	if err != nil {
		return err
	}
	info, err := c.Store.UpdateObject(c.ctx, c.origin(), v, change)
	if err != nil {
		return c.markerDetail(err, v)
	}
	c.set("x-oss-version-id", info.VersionID)
	return c.empty(status)
}

// stateOf returns the state of the version that the request names, without
// following symlinks.
func (c *call) stateOf() (object.Info, error) {
	v, err := c.version()
	if err != nil {
		return object.Info{}, err
	}
	info, err := c.Store.Head(c.ctx, v)
	if err != nil {
		return info, c.markerDetail(err, v)
	}
	c.set("x-oss-version-id", info.VersionID)
	return info, nil
}
