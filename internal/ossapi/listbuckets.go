package ossapi

import (
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// listBuckets answers ListBuckets with the buckets of the caller's account, and
// with their tags if the request filters by tags. It also answers
// ListBucketsInRegion, since all buckets are in one region.
func (c *call) listBuckets() error {
	limit, err := c.query.Int("max-keys", 100, 1, 1000)
	if err != nil {
		return err
	}
	filter, err := c.bucketFilter()
	if err != nil {
		return err
	}
	prefix, marker := c.query.Get("prefix"), c.query.Get("marker")
	if !validBucketPrefix(prefix) {
		return request.InvalidArgument("prefix", prefix, "no bucket has a name that begins so: names have a-z, 0-9 and '-'")
	}
	page, more, err := c.filteredBuckets(prefix, marker, limit, filter)
	if err != nil {
		return err
	}
	tagged := c.query.Get("tag-key") != "" || c.query.Get("tagging") != ""
	return c.xml(func(x *ossxml.Writer) {
		x.Start("ListAllMyBucketsResult")
		x.Text("Prefix", prefix)
		x.Text("Marker", marker)
		x.Int("MaxKeys", int64(limit))
		x.Bool("IsTruncated", more)
		if more {
			x.Text("NextMarker", page[len(page)-1].Name)
		}
		x.Owner(c.account())
		x.Start("Buckets")
		for i := range page {
			c.listedBucket(x, &page[i], tagged)
		}
		x.End("Buckets")
		x.End("ListAllMyBucketsResult")
	})
}

// validBucketPrefix reports whether the name of a bucket can begin with prefix. OSS
// rejects other prefixes.
func validBucketPrefix(prefix string) bool {
	// A name continues after a prefix that is short or ends in '-'.
	return prefix == "" || stocktake.ValidBucketName(prefix+strings.Repeat("x", max(0, 3-len(prefix)))) || stocktake.ValidBucketName(prefix+"x")
}

// listedBucket writes an entry, with its tags if tagged.
func (c *call) listedBucket(x *ossxml.Writer, b *object.Bucket, tagged bool) {
	x.Start("Bucket")
	x.Text("Name", b.Name)
	x.Text("Location", c.location())
	x.Text("Region", c.Region)
	x.Time("CreationDate", b.Created)
	x.Text("StorageClass", b.StorageClass.String())
	x.Text("ExtranetEndpoint", c.extranet())
	x.Text("IntranetEndpoint", c.intranet())
	x.Text("ResourceGroupId", resourceGroup(b))
	if tagged {
		x.Buf = appendTagging(x.Buf, b.Tags)
	}
	x.End("Bucket")
}

// filteredBuckets pages through the store until limit buckets pass the filter.
func (c *call) filteredBuckets(prefix, after string, limit int, filter func(*object.Bucket) bool) (found []object.Bucket, more bool, err error) {
	for {
		page, rest, err := c.Store.Buckets(c.ctx, c.account(), prefix, after, 1000)
		if err != nil {
			return nil, false, err
		}
		for i := range page {
			if !filter(&page[i]) {
				continue
			}
			if len(found) == limit {
				return found, true, nil
			}
			found = append(found, page[i])
		}
		if !rest {
			return found, false, nil
		}
		after = page[len(page)-1].Name
	}
}

// bucketFilter reads the filters by resource group and by tags: tag-key with
// tag-value, or tagging with a list such as "k1":"v1","k2":"v2".
func (c *call) bucketFilter() (func(*object.Bucket) bool, error) {
	group := c.r.Header.Get("X-Oss-Resource-Group-Id")
	key, value := c.query.Get("tag-key"), c.query.Get("tag-value")
	list, ok := parseTagFilter(c.query.Get("tagging"))
	switch {
	case !ok:
		return nil, request.InvalidArgument("tagging", c.query.Get("tagging"), `a list such as "key":"value" is expected`)
	case value != "" && key == "":
		return nil, request.InvalidArgument("tag-value", value, "tag-key is missing")
	case key != "" && list != nil:
		return nil, request.InvalidArgument("tagging", c.query.Get("tagging"), "it does not go together with tag-key")
	}
	return func(b *object.Bucket) bool {
		if group != "" && resourceGroup(b) != group {
			return false
		}
		if key == "" && list == nil {
			return true
		}
		tags := b.Tags
		if key != "" {
			return slices.ContainsFunc(tags, func(t object.Tag) bool {
				return t.Key == key && (t.Value == value || !c.query.Has("tag-value"))
			})
		}
		for _, want := range list {
			if !slices.Contains(tags, want) {
				return false
			}
		}
		return true
	}, nil
}

// parseTagFilter reads "k1":"v1","k2":"v2". Keys and values hold no quotes.
func parseTagFilter(s string) (tags []object.Tag, ok bool) {
	for s != "" {
		key, rest, ok := quoted(s)
		if !ok || !strings.HasPrefix(rest, ":") {
			return nil, false
		}
		value, rest, ok := quoted(rest[1:])
		if !ok {
			return nil, false
		}
		tags = append(tags, object.Tag{Key: key, Value: value})
		if s = strings.TrimPrefix(rest, ","); s == rest && s != "" {
			return nil, false
		}
	}
	return tags, true
}

func quoted(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	return strings.Cut(s[1:], `"`)
}
