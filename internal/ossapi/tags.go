package ossapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// How many tags an object and a bucket may have.
//
// Source: OSS developer guide, object tagging and bucket tagging.
const (
	maxObjectTags = 10
	maxBucketTags = 20
)

// readTagging reads a body that is a Tagging document.
func (c *call) readTagging(limit int) ([]object.Tag, error) {
	doc, err := c.body.XML("Tagging", request.MaxDocument)
	if err != nil {
		return nil, err
	}
	return taggingOf(doc, limit)
}

// taggingOf reads the tags of a Tagging document.
func taggingOf(doc *ossxml.Element, limit int) (tags []object.Tag, err error) {
	set := doc.Child("TagSet")
	if set == nil {
		return nil, ossxml.Malformed("TagSet is missing")
	}
	for i := range set.Children {
		if t := &set.Children[i]; t.Name == "Tag" {
			if t.Child("Key") == nil {
				return nil, ossxml.Malformed("a Tag has no Key")
			}
			tag := object.Tag{Key: t.Child("Key").Text}
			if v := t.Child("Value"); v != nil {
				tag.Value = v.Text
			}
			tags = append(tags, tag)
		}
	}
	if err := checkTags("Tagging", tags, limit); err != nil {
		return nil, err
	}
	return tags, checkTagCharacters("Tagging", tags, limit)
}

// parseTagging reads a header such as x-oss-tagging: a=1&b=2, url-encoded.
func parseTagging(name, v string, limit int) (tags []object.Tag, err error) {
	for pair := range strings.SplitSeq(v, "&") {
		key, value, _ := strings.Cut(pair, "=")
		var t object.Tag
		if t.Key, err = url.QueryUnescape(key); err == nil {
			t.Value, err = url.QueryUnescape(value)
		}
		if err != nil || len(tags) > limit {
			return nil, request.InvalidArgument(name, v, "")
		}
		tags = append(tags, t)
	}
	if err := checkTags(name, tags, limit); err != nil {
		return nil, err
	}
	return tags, checkTagCharacters(name, tags, limit)
}

// checkTags checks tags by the rules of OSS: distinct keys of 1 to 128 characters,
// values of up to 256.
func checkTags(name string, tags []object.Tag, limit int) error {
	if len(tags) > limit {
		return request.InvalidArgument(name, "", "too many tags")
	}
	for i, t := range tags {
		switch {
		case t.Key == "" || !utf8.ValidString(t.Key) || utf8.RuneCountInString(t.Key) > 128:
			return request.InvalidArgument(name, t.Key, "a key has 1 to 128 characters")
		case !utf8.ValidString(t.Value) || utf8.RuneCountInString(t.Value) > 256:
			return request.InvalidArgument(name, t.Value, "a value has at most 256 characters")
		case strings.ContainsFunc(t.Key+t.Value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return request.InvalidArgument(name, t.Key, "control characters are not allowed")
		}
		for _, other := range tags[:i] {
			if other.Key == t.Key {
				return request.InvalidArgument(name, t.Key, "a key is given twice")
			}
		}
	}
	return nil
}

// checkTagCharacters restricts the tags of objects to letters, digits, spaces and
// "+-=._:/". Tags of buckets may have any character.
//
// Source: OSS developer guide, object tagging.
func checkTagCharacters(name string, tags []object.Tag, limit int) error {
	if limit != maxObjectTags {
		return nil
	}
	for _, t := range tags {
		for _, r := range t.Key + t.Value {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" +-=._:/", r) {
				return request.InvalidArgument(name, t.Key, "letters, digits, blanks and +-=._:/ are allowed")
			}
		}
	}
	return nil
}

// tagging answers with a Tagging document.
func (c *call) tagging(tags []object.Tag) error {
	return c.xml(func(x *ossxml.Writer) { x.Buf = appendTagging(x.Buf, tags) })
}

// appendTagging appends a Tagging document without its declaration.
func appendTagging(dst []byte, tags []object.Tag) []byte {
	x := ossxml.Writer{Buf: dst}
	x.Start("Tagging")
	x.Start("TagSet")
	for _, t := range tags {
		x.Start("Tag")
		x.Text("Key", t.Key)
		x.Text("Value", t.Value)
		x.End("Tag")
	}
	x.End("TagSet")
	x.End("Tagging")
	return x.Buf
}

// putObjectTagging answers PutObjectTagging.
func (c *call) putObjectTagging() error {
	tags, err := c.readTagging(maxObjectTags)
	if err != nil {
		return err
	}
	return c.changeObject(http.StatusOK, func(info *object.Info) error {
		info.Tags = tags
		return nil
	})
}

// getObjectTagging answers GetObjectTagging.
func (c *call) getObjectTagging() error {
	info, err := c.stateOf()
	if err != nil {
		return err
	}
	return c.tagging(info.Tags)
}

// deleteObjectTagging answers DeleteObjectTagging.
func (c *call) deleteObjectTagging() error {
	return c.changeObject(http.StatusNoContent, func(info *object.Info) error {
		info.Tags = nil
		return nil
	})
}

// putBucketTags answers PutBucketTags.
func (c *call) putBucketTags() error {
	tags, err := c.readTagging(maxBucketTags)
	if err != nil {
		return err
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.Tags = tags })
}

// getBucketTags answers GetBucketTags.
func (c *call) getBucketTags() error { return c.tagging(c.bucket.Tags) }

// deleteBucketTags answers DeleteBucketTags. It deletes all tags, or those whose
// keys the parameter lists.
func (c *call) deleteBucketTags() error {
	list := c.query.Get("tagging")
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) {
		if list == "" {
			b.Tags = nil
			return
		}
		gone := strings.Split(list, ",")
		b.Tags = slices.DeleteFunc(slices.Clone(b.Tags), func(t object.Tag) bool { return slices.Contains(gone, t.Key) })
	})
}

// newTags reads the tags of an object that is being written, in the form of
// x-oss-tagging. It requires the right to set tags.
func (c *call) newTags(v string) ([]object.Tag, error) {
	tags, err := parseTagging("x-oss-tagging", v, maxObjectTags)
	if err != nil {
		return nil, err
	}
	return tags, c.allow("oss:PutObjectTagging")
}
