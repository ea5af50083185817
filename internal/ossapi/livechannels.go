package ossapi

import (
	"strconv"

	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// listLiveChannels answers ListLiveChannel. Live channels are not supported, so the
// list is empty. Clients that empty a bucket request it.
func (c *call) listLiveChannels() error {
	limit, err := c.query.Int("max-keys", defaultKeys, 1, maxKeys)
	if err != nil {
		return err
	}
	for _, name := range [...]string{"prefix", "marker"} {
		if v := c.query.Get(name); len(v) > maxPosition {
			return request.InvalidArgument(name, v, "it is longer than the name of any channel")
		}
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("ListLiveChannelResult")
		x.Text("Prefix", c.query.Get("prefix"))
		x.Text("Marker", c.query.Get("marker"))
		x.Text("MaxKeys", strconv.Itoa(limit))
		x.Bool("IsTruncated", false)
		x.Text("NextMarker", "")
		x.End("ListLiveChannelResult")
	})
}
