package ossapi

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// How many entries a page of a listing holds.
//
// Source: OSS API reference, ListObjectsV2, max-keys.
const (
	defaultKeys = 100
	maxKeys     = 1000
)

// maxPosition bounds prefix, delimiter, marker and the like, in bytes: a key,
// or a little more for clients that append to a key to make a marker.
const maxPosition = 1 << 10

// listQuery reads the parameters that all listings of objects share.
func (c *call) listQuery() (q object.ListQuery, url bool, err error) {
	if url, err = c.query.URLEncoding(); err != nil {
		return q, url, err
	}
	for _, name := range [...]string{"prefix", "delimiter", "marker", "start-after", "key-marker", "version-id-marker"} {
		if v := c.query.Get(name); len(v) > maxPosition {
			return q, url, request.InvalidArgument(name, v, "it is longer than any object name")
		}
	}
	q = object.ListQuery{Bucket: c.at.Bucket, Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter")}
	q.Max, err = c.query.Int("max-keys", defaultKeys, 1, maxKeys)
	return q, url, err
}

// listObjects answers ListObjects, version 1.
func (c *call) listObjects() error {
	if v, ok := c.query.Lookup("list-type"); ok {
		return request.InvalidArgument("list-type", v, "2 is expected")
	}
	q, url, err := c.listQuery()
	if err != nil {
		return err
	}
	q.After = c.query.Get("marker")
	page, err := c.Store.List(c.ctx, q)
	if err != nil {
		return err
	}
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("ListBucketResult")
		x.Text("Name", q.Bucket)
		x.Name("Prefix", q.Prefix)
		x.Name("Marker", q.After)
		x.Int("MaxKeys", int64(q.Max))
		x.Name("Delimiter", q.Delimiter)
		encodingType(x)
		x.Bool("IsTruncated", page.Truncated)
		if page.Truncated {
			x.Name("NextMarker", page.NextAfter)
		}
		c.contents(x, &page, true)
		x.End("ListBucketResult")
	})
}

// listObjectsV2 answers ListObjectsV2. Its tokens are positions in base64url,
// which needs no percent-encoding.
func (c *call) listObjectsV2() error {
	q, url, err := c.listQuery()
	if err != nil {
		return err
	}
	startAfter, token := c.query.Get("start-after"), c.query.Get("continuation-token")
	q.After = startAfter
	if token != "" {
		after, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(after) == 0 || len(after) > maxPosition {
			return request.InvalidArgument("continuation-token", token, "this server did not return it")
		}
		q.After = string(after)
	}
	page, err := c.Store.List(c.ctx, q)
	if err != nil {
		return err
	}
	owner := strings.EqualFold(c.query.Get("fetch-owner"), "true")
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("ListBucketResult")
		x.Text("Name", q.Bucket)
		x.Name("Prefix", q.Prefix)
		x.Name("StartAfter", startAfter)
		x.Int("MaxKeys", int64(q.Max))
		x.Name("Delimiter", q.Delimiter)
		encodingType(x)
		x.Bool("IsTruncated", page.Truncated)
		x.Int("KeyCount", int64(len(page.Entries)+len(page.CommonPrefixes)))
		x.Optional("ContinuationToken", token)
		if page.Truncated {
			x.Text("NextContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(page.NextAfter)))
		}
		c.contents(x, &page, owner)
		x.End("ListBucketResult")
	})
}

// listObjectVersions answers ListObjectVersions.
func (c *call) listObjectVersions() error {
	q, url, err := c.listQuery()
	if err != nil {
		return err
	}
	q.Versions, q.After, q.AfterVersion = true, c.query.Get("key-marker"), c.query.Get("version-id-marker")
	if q.AfterVersion != "" && q.After == "" {
		return request.InvalidArgument("version-id-marker", q.AfterVersion, "key-marker is missing")
	}
	page, err := c.Store.List(c.ctx, q)
	if err != nil {
		return err
	}
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("ListVersionsResult")
		x.Text("Name", q.Bucket)
		x.Name("Prefix", q.Prefix)
		x.Name("KeyMarker", q.After)
		x.Text("VersionIdMarker", q.AfterVersion)
		x.Int("MaxKeys", int64(q.Max))
		x.Name("Delimiter", q.Delimiter)
		encodingType(x)
		x.Bool("IsTruncated", page.Truncated)
		if page.Truncated {
			x.Name("NextKeyMarker", page.NextAfter)
			x.Text("NextVersionIdMarker", page.NextAfterVersion)
		}
		for i := range page.Entries {
			c.listedVersion(x, &page.Entries[i])
		}
		commonPrefixes(x, page.CommonPrefixes)
		x.End("ListVersionsResult")
	})
}

// pages recycles the buffers of listing answers.
var pages = sync.Pool{New: func() any { return new([]byte) }}

// listing answers 200 with the document that fill writes.
func (c *call) listing(url bool, fill func(*ossxml.Writer)) error {
	b := pages.Get().(*[]byte)
	x := ossxml.Writer{Buf: append((*b)[:0], ossxml.Header...), URL: url}
	fill(&x)
	err := c.document(http.StatusOK, "application/xml", x.Buf)
	if cap(x.Buf) <= 1<<20 {
		*b = x.Buf
		pages.Put(b)
	}
	return err
}

func encodingType(x *ossxml.Writer) {
	if x.URL {
		x.Text("EncodingType", "url")
	}
}

// contents writes the entries of a listing of objects.
func (c *call) contents(x *ossxml.Writer, page *object.Listing, owner bool) {
	for i := range page.Entries {
		e := &page.Entries[i]
		x.Start("Contents")
		x.Name("Key", e.Key)
		c.listedObject(x, e)
		if owner {
			x.Owner(c.bucket.Owner)
		}
		x.End("Contents")
	}
	commonPrefixes(x, page.CommonPrefixes)
}

// listedObject writes the elements that the entries of all listings share.
func (c *call) listedObject(x *ossxml.Writer, e *object.Info) {
	x.Time("LastModified", e.LastModified)
	x.Buf = append(x.Buf, "<ETag>&quot;"...)
	x.Buf = e.ETag.AppendText(x.Buf)
	x.Buf = append(x.Buf, "&quot;</ETag>"...)
	x.Text("Type", e.Type.String())
	x.Int("Size", e.Size)
	x.Text("StorageClass", e.StorageClass.String())
	if !e.TransitionTime.IsZero() {
		x.Time("TransitionTime", e.TransitionTime)
	}
	if archived(e.StorageClass) {
		x.Optional("RestoreInfo", restoreHeader(e, c.Now()))
	}
}

func (c *call) listedVersion(x *ossxml.Writer, e *object.Info) {
	tag := "Version"
	if e.IsDeleteMarker {
		tag = "DeleteMarker"
	}
	x.Start(tag)
	x.Name("Key", e.Key)
	x.Text("VersionId", versionText(e.VersionID))
	x.Bool("IsLatest", e.IsLatest)
	if e.IsDeleteMarker {
		x.Time("LastModified", e.LastModified)
	} else {
		c.listedObject(x, e)
	}
	x.Owner(c.bucket.Owner)
	x.End(tag)
}

// versionText returns the version id as listings show it.
func versionText(id string) string {
	if id == "" {
		return object.NullVersion
	}
	return id
}

func commonPrefixes(x *ossxml.Writer, prefixes []string) {
	for _, p := range prefixes {
		x.Start("CommonPrefixes")
		x.Name("Prefix", p)
		x.End("CommonPrefixes")
	}
}
