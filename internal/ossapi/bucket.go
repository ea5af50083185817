package ossapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putBucket answers PutBucket.
func (c *call) putBucket() error {
	want, acl, err := c.newBucket()
	if err != nil {
		return err
	}
	c.bucket = want
	if c.anonymous() {
		return stocktake.ErrAccessDenied // a bucket needs an owner
	}
	have, err := c.Buckets.Bucket(c.ctx, want.Name)
	switch {
	case errors.Is(err, stocktake.ErrNoSuchBucket):
	case err != nil:
		return err
	case have.Owner != want.Owner, have.Store != "":
		return object.ErrBucketExists
	case have.StorageClass != want.StorageClass:
		return errOtherClass
	case have.Redundancy != want.Redundancy:
		return errOtherRedundancy
	case acl && want.ACL != stocktake.Private && have.BlockPublicAccess:
		return errPublicBucketACL
	case acl && want.ACL != have.ACL:
		// The bucket exists: the request changes it, as PutBucketAcl does, and the
		// bucket's policy applies.
		if err := c.allowOn("oss:PutBucketAcl", &have, "", ""); err != nil {
			return err
		}
	}
	missing := errors.Is(err, stocktake.ErrNoSuchBucket)
	if missing {
		if err := c.Inventories.ForgetDeleted(c.ctx, want.Name); err != nil {
			return err
		}
	}
	if err := c.Store.CreateBucket(c.ctx, c.origin(), want, acl); err != nil {
		return err
	}
	if missing {
		c.audit("bucket created", "", "after", bucketDigest(&want))
	} else if acl && want.ACL != have.ACL {
		before := bucketDigest(&have)
		have.ACL = want.ACL
		c.audit("bucket settings changed", "", "before", before, "after", bucketDigest(&have))
	}
	c.set("Location", "/"+want.Name)
	return c.empty(http.StatusOK)
}

// newBucket reads a PutBucket request. acl reports whether the request names an
// ACL.
//
// As on OSS, a new bucket blocks public access unless the request makes it public.
func (c *call) newBucket() (b object.Bucket, acl bool, err error) {
	b = object.NewBucket(c.at.Bucket, c.account(), c.Now().UTC())
	if v := c.r.Header.Get("X-Oss-Acl"); v != "" {
		if b.ACL, err = bucketACL(v); err != nil {
			return b, false, err
		}
		acl = true
	}
	b.BlockPublicAccess = b.ACL == stocktake.Private
	if v := c.r.Header.Get("X-Oss-Resource-Group-Id"); v != "" {
		if !validGroup(v) {
			return b, false, errResourceGroup
		}
		b.ResourceGroup = v
	}
	if v := c.r.Header.Get("X-Oss-Bucket-Tagging"); v != "" {
		if b.Tags, err = parseTagging("x-oss-bucket-tagging", v, maxBucketTags); err != nil {
			return b, false, err
		}
	}
	if e := encryptionOf(c.r.Header); e != (object.Encryption{}) {
		if b.Encryption, err = checkEncryption(e, headerEncryption, headerEncryptionKey, headerDataEncryption); err != nil {
			return b, false, err
		}
	}
	doc, err := c.body.OptionalXML("CreateBucketConfiguration")
	if err != nil || doc == nil {
		return b, acl, err
	}
	if v := doc.Value("StorageClass"); v != "" {
		var ok bool
		if b.StorageClass, ok = stocktake.ParseStorageClass(v); !ok {
			return b, false, request.InvalidArgument("StorageClass", v, "")
		}
	}
	switch v := doc.Value("DataRedundancyType"); v {
	case "":
	case "LRS", "ZRS":
		b.Redundancy = v
	default:
		return b, false, request.InvalidArgument("DataRedundancyType", v, "LRS or ZRS is expected")
	}
	if v := doc.Value("LocationConstraint"); v != "" && v != c.location() {
		return b, false, request.InvalidArgument("LocationConstraint", v, "this is "+c.location())
	}
	return b, acl, nil
}

// deleteBucket answers DeleteBucket. It deletes the bucket's inventories, too.
func (c *call) deleteBucket() error {
	if err := c.Store.DeleteBucket(c.ctx, c.origin(), c.at.Bucket); err != nil {
		return err
	}
	c.audit("bucket deleted", "", "before", bucketDigest(&c.bucket))
	if err := c.Inventories.BucketDeleted(c.ctx, c.at.Bucket); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// getBucketInfo answers GetBucketInfo.
func (c *call) getBucketInfo() error {
	b := &c.bucket
	if b.Store != "" {
		return c.getForeignInfo()
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("BucketInfo")
		x.Start("Bucket")
		x.Text("Name", b.Name)
		x.Text("Location", c.location())
		x.Time("CreationDate", b.Created)
		x.Text("ExtranetEndpoint", c.extranet())
		x.Text("IntranetEndpoint", c.intranet())
		x.Text("StorageClass", b.StorageClass.String())
		x.Text("DataRedundancyType", b.Redundancy)
		x.Text("AccessMonitor", "Disabled")
		x.Text("TransferAcceleration", "Disabled")
		x.Text("CrossRegionReplication", "Disabled")
		x.Bool("BlockPublicAccess", b.BlockPublicAccess)
		x.Text("ResourceGroupId", resourceGroup(b))
		x.Text("Comment", "")
		x.Optional("Versioning", b.Versioning.String())
		x.Owner(b.Owner)
		x.Start("AccessControlList")
		x.Text("Grant", b.ACL.String())
		x.End("AccessControlList")
		x.Start("ServerSideEncryptionRule")
		if b.Encryption.Algorithm == "" {
			x.Text("SSEAlgorithm", "None")
		} else {
			encryptionRule(x, b.Encryption)
		}
		x.End("ServerSideEncryptionRule")
		x.Start("BucketPolicy")
		x.Text("LogBucket", "")
		x.Text("LogPrefix", "")
		x.End("BucketPolicy")
		x.End("Bucket")
		x.End("BucketInfo")
	})
}

// headBucket answers HeadBucket, which reports whether the bucket exists. OSS does
// not document the operation, but clients use it.
func (c *call) headBucket() error {
	if err := c.Buckets.CheckBucket(c.ctx, c.at.Bucket); err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// getBucketLocation answers GetBucketLocation.
func (c *call) getBucketLocation() error {
	if err := c.Buckets.CheckBucket(c.ctx, c.at.Bucket); err != nil {
		return err
	}
	return c.xml(func(x *ossxml.Writer) { x.Text("LocationConstraint", location(c.bucket.Region)) })
}

// getBucketStat answers GetBucketStat. The real storage of a class, which OSS
// charges for, equals its size, because no class has a minimum size here.
func (c *call) getBucketStat() error {
	stat, err := c.Store.BucketStat(c.ctx, c.at.Bucket)
	if err != nil {
		return err
	}
	var objects, bytes int64
	for class := range stat.Objects {
		objects += stat.Objects[class]
		bytes += stat.Bytes[class]
	}
	var modified int64 // of a bucket without objects
	if objects+stat.DeleteMarkers > 0 {
		modified = stat.LastModified.Unix()
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("BucketStat")
		x.Int("Storage", bytes)
		x.Int("ObjectCount", objects)
		x.Int("MultipartUploadCount", stat.Uploads)
		x.Int("LiveChannelCount", 0)
		x.Int("LastModifiedTime", modified)
		x.Int("StandardStorage", stat.Bytes[stocktake.Standard])
		x.Int("StandardObjectCount", stat.Objects[stocktake.Standard])
		for i, name := range [...]string{"InfrequentAccess", "Archive", "ColdArchive", "DeepColdArchive"} {
			class := stocktake.IA + stocktake.StorageClass(i)
			x.Int(name+"Storage", stat.Bytes[class])
			x.Int(name+"RealStorage", stat.Bytes[class])
			x.Int(name+"ObjectCount", stat.Objects[class])
		}
		x.Int("DeleteMarkerCount", stat.DeleteMarkers)
		x.End("BucketStat")
	})
}

// setBucket changes a setting of the bucket that needs no check against its state,
// and answers without a body.
func (c *call) setBucket(status int, change func(*object.Bucket)) error {
	return c.update(status, func(b *object.Bucket) error {
		change(b)
		return nil
	})
}

// lastModified formats a time like the Last-Modified header.
func lastModified(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
