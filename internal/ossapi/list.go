package ossapi

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"

	"github.com/stocktake/stocktake/internal/object"
)

// How many entries a page of a listing holds.
//
// Source: OSS API reference, ListObjectsV2, max-keys.
const (
	defaultKeys = 100
	maxKeys     = 1000
)

// maxPosition bounds prefix, delimiter, marker and the like, in bytes: a key,
// or a little more for those who make a marker by adding to one.
const maxPosition = 1 << 10

// listQuery reads what the listings of objects have in common.
func (c *call) listQuery() (q object.ListQuery, url bool, err error) {
	if url, err = c.query.urlEncoding(); err != nil {
		return q, url, err
	}
	for _, name := range [...]string{"prefix", "delimiter", "marker", "start-after", "key-marker", "version-id-marker"} {
		if v := c.query.get(name); len(v) > maxPosition {
			return q, url, invalidArgument(name, v, "it is longer than any object name")
		}
	}
	q = object.ListQuery{Bucket: c.at.bucket, Prefix: c.query.get("prefix"), Delimiter: c.query.get("delimiter")}
	q.Max, err = c.query.int("max-keys", defaultKeys, 1, maxKeys)
	return q, url, err
}

// listObjects answers ListObjects, the first version of it.
func (c *call) listObjects() error {
	if v, ok := c.query.lookup("list-type"); ok {
		return invalidArgument("list-type", v, "2 is expected")
	}
	q, url, err := c.listQuery()
	if err != nil {
		return err
	}
	q.After = c.query.get("marker")
	page, err := c.Store.List(c.ctx, q)
	if err != nil {
		return err
	}
	return c.listing(url, func(x *xmlWriter) {
		x.start("ListBucketResult")
		x.text("Name", q.Bucket)
		x.name("Prefix", q.Prefix)
		x.name("Marker", q.After)
		x.int("MaxKeys", int64(q.Max))
		x.name("Delimiter", q.Delimiter)
		encodingType(x)
		x.bool("IsTruncated", page.Truncated)
		if page.Truncated {
			x.name("NextMarker", page.NextAfter)
		}
		c.contents(x, &page, true)
		x.end("ListBucketResult")
	})
}

// listObjectsV2 answers ListObjectsV2. Its tokens are positions in base64url,
// which needs no percent-encoding.
func (c *call) listObjectsV2() error {
	q, url, err := c.listQuery()
	if err != nil {
		return err
	}
	startAfter, token := c.query.get("start-after"), c.query.get("continuation-token")
	q.After = startAfter
	if token != "" {
		after, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(after) == 0 || len(after) > maxPosition {
			return invalidArgument("continuation-token", token, "it is none of ours")
		}
		q.After = string(after)
	}
	page, err := c.Store.List(c.ctx, q)
	if err != nil {
		return err
	}
	owner := strings.EqualFold(c.query.get("fetch-owner"), "true")
	return c.listing(url, func(x *xmlWriter) {
		x.start("ListBucketResult")
		x.text("Name", q.Bucket)
		x.name("Prefix", q.Prefix)
		x.name("StartAfter", startAfter)
		x.int("MaxKeys", int64(q.Max))
		x.name("Delimiter", q.Delimiter)
		encodingType(x)
		x.bool("IsTruncated", page.Truncated)
		x.int("KeyCount", int64(len(page.Entries)+len(page.CommonPrefixes)))
		x.optional("ContinuationToken", token)
		if page.Truncated {
			x.text("NextContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(page.NextAfter)))
		}
		c.contents(x, &page, owner)
		x.end("ListBucketResult")
	})
}

// listObjectVersions answers ListObjectVersions.
func (c *call) listObjectVersions() error {
	q, url, err := c.listQuery()
	if err != nil {
		return err
	}
	q.Versions, q.After, q.AfterVersion = true, c.query.get("key-marker"), c.query.get("version-id-marker")
	if q.AfterVersion != "" && q.After == "" {
		return invalidArgument("version-id-marker", q.AfterVersion, "key-marker is missing")
	}
	page, err := c.Store.List(c.ctx, q)
	if err != nil {
		return err
	}
	return c.listing(url, func(x *xmlWriter) {
		x.start("ListVersionsResult")
		x.text("Name", q.Bucket)
		x.name("Prefix", q.Prefix)
		x.name("KeyMarker", q.After)
		x.text("VersionIdMarker", q.AfterVersion)
		x.int("MaxKeys", int64(q.Max))
		x.name("Delimiter", q.Delimiter)
		encodingType(x)
		x.bool("IsTruncated", page.Truncated)
		if page.Truncated {
			x.name("NextKeyMarker", page.NextAfter)
			x.text("NextVersionIdMarker", page.NextAfterVersion)
		}
		for i := range page.Entries {
			c.listedVersion(x, &page.Entries[i])
		}
		commonPrefixes(x, page.CommonPrefixes)
		x.end("ListVersionsResult")
	})
}

// pages keeps the memory of answers to listings.
var pages = sync.Pool{New: func() any { return new([]byte) }}

// listing answers 200 with the document that fill writes.
func (c *call) listing(url bool, fill func(*xmlWriter)) error {
	b := pages.Get().(*[]byte)
	x := xmlWriter{b: append((*b)[:0], xmlHeader...), url: url}
	fill(&x)
	err := c.document(http.StatusOK, "application/xml", x.b)
	if cap(x.b) <= 1<<20 {
		*b = x.b
		pages.Put(b)
	}
	return err
}

func encodingType(x *xmlWriter) {
	if x.url {
		x.text("EncodingType", "url")
	}
}

// contents writes the entries of a listing of objects.
func (c *call) contents(x *xmlWriter, page *object.Listing, owner bool) {
	for i := range page.Entries {
		e := &page.Entries[i]
		x.start("Contents")
		x.name("Key", e.Key)
		c.listedObject(x, e)
		if owner {
			x.owner(c.bucket.Owner)
		}
		x.end("Contents")
	}
	commonPrefixes(x, page.CommonPrefixes)
}

// listedObject writes what entries of all listings have in common.
func (c *call) listedObject(x *xmlWriter, e *object.Info) {
	x.time("LastModified", e.LastModified)
	x.b = append(x.b, "<ETag>&quot;"...)
	x.b = e.ETag.AppendText(x.b)
	x.b = append(x.b, "&quot;</ETag>"...)
	x.text("Type", e.Type.String())
	x.int("Size", e.Size)
	x.text("StorageClass", e.StorageClass.String())
	if !e.TransitionTime.IsZero() {
		x.time("TransitionTime", e.TransitionTime)
	}
	if archived(e.StorageClass) {
		x.optional("RestoreInfo", restoreHeader(e, c.Now()))
	}
}

func (c *call) listedVersion(x *xmlWriter, e *object.Info) {
	tag := "Version"
	if e.IsDeleteMarker {
		tag = "DeleteMarker"
	}
	x.start(tag)
	x.name("Key", e.Key)
	x.text("VersionId", versionText(e.VersionID))
	x.bool("IsLatest", e.IsLatest)
	if e.IsDeleteMarker {
		x.time("LastModified", e.LastModified)
	} else {
		c.listedObject(x, e)
	}
	x.owner(c.bucket.Owner)
	x.end(tag)
}

// versionText is the version id as listings show it.
func versionText(id string) string {
	if id == "" {
		return object.NullVersion
	}
	return id
}

func commonPrefixes(x *xmlWriter, prefixes []string) {
	for _, p := range prefixes {
		x.start("CommonPrefixes")
		x.name("Prefix", p)
		x.end("CommonPrefixes")
	}
}
