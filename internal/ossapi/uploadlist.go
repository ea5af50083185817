package ossapi

import (
	"strconv"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// listParts answers ListParts.
func (c *call) listParts() error {
	u, err := c.uploadOf()
	if err != nil {
		return err
	}
	url, err := c.query.URLEncoding()
	if err != nil {
		return err
	}
	limit, err := c.query.Int("max-parts", maxKeys, 1, maxKeys)
	if err != nil {
		return err
	}
	after, err := c.query.Int("part-number-marker", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	upload, parts, more, err := c.Store.Parts(c.ctx, u, after, limit)
	if err != nil {
		return err
	}
	next := after
	if len(parts) > 0 {
		next = parts[len(parts)-1].Number
	}
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("ListPartsResult")
		encodingType(x)
		x.Text("Bucket", c.at.Bucket)
		x.Name("Key", c.at.Key)
		x.Text("UploadId", upload.ID)
		x.Text("StorageClass", upload.StorageClass.String())
		x.Int("PartNumberMarker", int64(after))
		x.Int("NextPartNumberMarker", int64(next))
		x.Int("MaxParts", int64(limit))
		clientEncryptionOf(x, upload.Meta)
		x.Bool("IsTruncated", more)
		for i := range parts {
			p := &parts[i]
			x.Start("Part")
			x.Int("PartNumber", int64(p.Number))
			x.Time("LastModified", p.LastModified)
			x.Text("ETag", `"`+partETag(p)+`"`)
			x.Text("HashCrc64ecma", strconv.FormatUint(p.CRC64, 10))
			x.Int("Size", p.Size)
			x.End("Part")
		}
		x.End("ListPartsResult")
	})
}

// listMultipartUploads answers ListMultipartUploads.
func (c *call) listMultipartUploads() error {
	q := object.UploadQuery{
		Bucket: c.at.Bucket, Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"),
		After: c.query.Get("key-marker"), AfterUpload: c.query.Get("upload-id-marker"),
	}
	if q.After == "" {
		q.AfterUpload = "" // OSS ignores it without a key
	}
	for _, name := range [...]string{"prefix", "delimiter", "key-marker", "upload-id-marker"} {
		if v := c.query.Get(name); len(v) > maxPosition {
			return request.InvalidArgument(name, v, "it is longer than any object name")
		}
	}
	url, err := c.query.URLEncoding()
	if err != nil {
		return err
	}
	if q.Max, err = c.query.Int("max-uploads", maxKeys, 1, maxKeys); err != nil {
		return err
	}
	page, err := c.Store.UploadList(c.ctx, q)
	if err != nil {
		return err
	}
	next, nextUpload := page.NextAfter, page.NextAfterUpload
	if !page.Truncated { // OSS names the last entry of a whole list, too
		next, nextUpload = lastOfUploads(&page)
	}
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("ListMultipartUploadsResult")
		encodingType(x)
		x.Text("Bucket", q.Bucket)
		x.Name("KeyMarker", q.After)
		x.Text("UploadIdMarker", q.AfterUpload)
		x.Name("NextKeyMarker", next)
		x.Text("NextUploadIdMarker", nextUpload)
		x.Name("Delimiter", q.Delimiter)
		x.Name("Prefix", q.Prefix)
		x.Int("MaxUploads", int64(q.Max))
		x.Bool("IsTruncated", page.Truncated)
		for i := range page.Uploads {
			u := &page.Uploads[i]
			x.Start("Upload")
			x.Name("Key", u.Key)
			x.Text("UploadId", u.ID)
			x.Time("Initiated", u.Initiated)
			x.Text("StorageClass", u.StorageClass.String())
			x.End("Upload")
		}
		commonPrefixes(x, page.CommonPrefixes)
		x.End("ListMultipartUploadsResult")
	})
}

// lastOfUploads returns the markers that name the last entry of a page.
func lastOfUploads(page *object.UploadListing) (key, upload string) {
	if n := len(page.Uploads); n > 0 {
		key, upload = page.Uploads[n-1].Key, page.Uploads[n-1].ID
	}
	if n := len(page.CommonPrefixes); n > 0 && page.CommonPrefixes[n-1] > key {
		key, upload = page.CommonPrefixes[n-1], ""
	}
	return key, upload
}
