package ossapi

import (
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/stocktake/stocktake/internal/object"
)

// putObject answers PutObject.
func (c *call) putObject() error {
	p, err := c.newPut()
	if err != nil {
		return err
	}
	if err := c.body.Describe(&p); err != nil {
		return err
	}
	back, err := c.callback()
	if err != nil {
		return err
	}
	info, err := c.Store.PutObject(c.ctx, c.origin(), p, c.body)
	if err != nil {
		return err
	}
	if back != nil {
		return c.callBack(back, &info)
	}
	c.madeHeaders(&info)
	return c.empty(http.StatusOK)
}

// newPut reads what every write of an object has in common.
func (c *call) newPut() (object.Put, error) {
	a, err := c.attributes()
	return object.Put{Attributes: a, Bucket: c.at.Bucket, Key: c.at.Key}, err
}

// madeHeaders sets the headers of an answer to a write.
func (c *call) madeHeaders(info *object.Info) {
	c.set("ETag", quoteETag(info))
	c.set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(info.CRC64, 10))
	if info.MD5 != nil {
		c.set("Content-MD5", base64.StdEncoding.EncodeToString(info.MD5))
	}
	c.set("X-Oss-Version-Id", info.VersionID)
	c.encryptionHeaders(info.Encryption)
}

func quoteETag(info *object.Info) string {
	b := append(make([]byte, 0, 48), '"')
	return string(append(info.ETag.AppendText(b), '"'))
}

func (c *call) encryptionHeaders(e object.Encryption) {
	c.set("X-Oss-Server-Side-Encryption", e.Algorithm)
	c.set("X-Oss-Server-Side-Encryption-Key-Id", e.KeyID)
	c.set("X-Oss-Server-Side-Data-Encryption", e.Data)
}
