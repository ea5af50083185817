package ossapi

import (
	"net/http"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putBucketACL answers PutBucketAcl.
func (c *call) putBucketACL() error {
	acl, err := bucketACL(c.r.Header.Get("X-Oss-Acl"))
	if err != nil {
		return err
	}
	return c.update(http.StatusOK, func(b *object.Bucket) error {
		if acl != stocktake.Private && b.BlockPublicAccess {
			return errPublicBucketACL
		}
		b.ACL = acl
		return nil
	})
}

// getBucketACL answers GetBucketAcl.
func (c *call) getBucketACL() error { return c.accessControl(c.bucket.ACL) }

func (c *call) accessControl(acl stocktake.ACL) error {
	return c.xml(func(x *ossxml.Writer) {
		x.Start("AccessControlPolicy")
		x.Owner(c.bucket.Owner)
		x.Start("AccessControlList")
		x.Text("Grant", acl.String())
		x.End("AccessControlList")
		x.End("AccessControlPolicy")
	})
}

func bucketACL(v string) (stocktake.ACL, error) {
	if acl, ok := stocktake.ParseACL(v); ok && acl != stocktake.DefaultACL {
		return acl, nil
	}
	return 0, request.InvalidArgument("x-oss-acl", v, "private, public-read or public-read-write is expected")
}

// objectACL reads x-oss-object-acl, which must be there.
func (c *call) objectACL() (stocktake.ACL, error) {
	v := c.r.Header.Get("X-Oss-Object-Acl")
	acl, ok := stocktake.ParseACL(v)
	switch {
	case !ok:
		return 0, request.InvalidArgument("x-oss-object-acl", v, "default, private, public-read or public-read-write is expected")
	case acl > stocktake.Private && c.bucket.BlockPublicAccess:
		return 0, errPublicObjectACL
	}
	return acl, nil
}

// newObjectACL reads the ACL of an object that is being written. Any ACL but the
// default requires the right to set ACLs.
func (c *call) newObjectACL() (stocktake.ACL, error) {
	acl, err := c.objectACL()
	if err != nil || acl == stocktake.DefaultACL {
		return acl, err
	}
	return acl, c.allow("oss:PutObjectAcl")
}

// putObjectACL answers PutObjectAcl. If the object is empty, it also sets its time
// of modification.
//
// Source: OSS API reference, PutObjectACL.
func (c *call) putObjectACL() error {
	acl, err := c.objectACL()
	if err != nil {
		return err
	}
	now := c.Now()
	return c.changeObject(http.StatusOK, func(info *object.Info) error {
		info.ACL = acl
		if info.Size == 0 {
			info.LastModified = now
		}
		return nil
	})
}

// getObjectACL answers GetObjectAcl.
func (c *call) getObjectACL() error {
	info, err := c.stateOf()
	if err != nil {
		return err
	}
	return c.accessControl(info.ACL)
}
