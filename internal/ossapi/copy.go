package ossapi

import (
	"errors"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// source reads x-oss-copy-source, /bucket/key?versionId=id with the key
// percent-encoded, and checks that the caller may read it.
func (c *call) source() (v object.Version, err error) {
	const name = "x-oss-copy-source"
	raw := c.r.Header.Get(name)
	path, query, _ := strings.Cut(strings.TrimPrefix(raw, "/"), "?")
	if strings.IndexByte(path, '/') < 0 {
		path = strings.Replace(path, "%2F", "/", 1) // encoded as a whole
	}
	bucket, key, ok := strings.Cut(path, "/")
	if v.Bucket, err = request.Unescape(bucket); err == nil {
		v.Key, err = request.Unescape(key)
	}
	if err != nil || !ok || !stocktake.ValidBucketName(v.Bucket) || !stocktake.ValidKey(v.Key) {
		return v, request.InvalidArgument(name, raw, "/bucket/object is expected")
	}
	action := "oss:GetObject"
	if query != "" {
		ps, err := request.ParseParams(query)
		if err != nil {
			return v, request.InvalidArgument(name, raw, "")
		}
		if v.ID, err = ps.Version(); err != nil || v.ID == "" {
			return v, request.InvalidArgument(name, raw, "only versionId may follow the object")
		}
		action = "oss:GetObjectVersion"
	}
	b := c.bucket
	if v.Bucket != b.Name {
		if b, err = c.Buckets.Bucket(c.ctx, v.Bucket); err != nil {
			return v, &request.DetailError{Err: err, Fields: [][2]string{{"BucketName", v.Bucket}}}
		}
	}
	if err := c.allowOn(action, &b, v.Key, v.ID); err != nil {
		return v, err
	}
	if b.Store != "" {
		return v, notInForeign(&b)
	}
	return v, nil
}

// sourceReady checks the preconditions of a copy and that its source can be read
// now.
func (c *call) sourceReady(src *object.Info) error {
	if err := readSourcePreconditions(c.r.Header).check(src.ETag.String(), src.LastModified); err != nil {
		return err
	}
	if !readable(src, c.Now()) {
		return object.ErrNotRestored
	}
	return nil
}

// sourceDetail adds to an error of a copy that the missing object is the source.
func sourceDetail(err error, src object.Version) error {
	if errors.Is(err, object.ErrNoSuchKey) || errors.Is(err, object.ErrNoSuchVersion) {
		return &request.DetailError{Err: err, Fields: [][2]string{{"BucketName", src.Bucket}, {"Key", src.Key}}}
	}
	return err
}

// errIsSymlink reports a copy whose source turns out to be a symlink.
var errIsSymlink = errors.New("the source is a symlink")

// copyObject answers CopyObject.
func (c *call) copyObject() error {
	src, err := c.source()
	if err != nil {
		return err
	}
	p, err := c.newPut()
	if err != nil {
		return err
	}
	keepMeta, err := c.directive("x-oss-metadata-directive")
	if err != nil {
		return err
	}
	keepTags, err := c.directive("x-oss-tagging-directive")
	if err != nil {
		return err
	}
	onItself := src.Bucket == p.Bucket && src.Key == p.Key
	if onItself {
		keepMeta = false // a copy onto itself always changes the metadata
	}
	given := p.Headers
	var target string
	prepare := func(from object.Info, p *object.Put) error {
		if err := c.sourceReady(&from); err != nil {
			return err
		}
		if from.Size > object.MaxPartSize {
			return object.ErrTooLarge
		}
		if p.Headers = from.Headers; !keepMeta {
			p.Headers = c.replacedHeaders(given, &from.Headers)
		}
		if keepTags {
			if err := c.mayCopyTags(src, from.Tags); err != nil {
				return err
			}
			p.Tags = from.Tags
		}
		if onItself && c.r.Header.Get("X-Oss-Object-Acl") == "" {
			p.ACL = from.ACL
		}
		if from.Type == stocktake.Symlink {
			target = from.Symlink
			return errIsSymlink
		}
		return nil
	}
	from, made, err := c.Store.CopyObject(c.ctx, c.origin(), src, p, prepare)
	if errors.Is(err, errIsSymlink) {
		from, made, err = c.copySymlink(src, p, target, prepare)
	}
	if err != nil {
		return sourceDetail(err, src)
	}
	c.setWriteHeaders(&made)
	c.set("x-oss-copy-source-version-id", from.VersionID)
	delete(c.w.Header(), "Content-MD5") // clients would take it for the digest of the answer
	return c.xml(func(x *ossxml.Writer) {
		x.Start("CopyObjectResult")
		x.Text("ETag", quoteETag(&made))
		x.Time("LastModified", made.LastModified)
		x.End("CopyObjectResult")
	})
}

// replacedHeaders returns the headers of a copy that takes them from the request
// rather than from its source. Without a Content-Type in the request it keeps the
// source's. It always keeps the metadata that is needed to decrypt the content.
func (c *call) replacedHeaders(given object.Headers, source *object.Headers) object.Headers {
	if c.r.Header.Get("Content-Type") == "" {
		given.ContentType = source.ContentType
	}
	has := func(list []object.Meta, name string) bool {
		return slices.ContainsFunc(list, func(m object.Meta) bool { return m.Name == name })
	}
	meta := slices.Clone(given.Meta)
	for _, m := range source.Meta {
		if strings.HasPrefix(m.Name, clientEncryption) && !has(meta, m.Name) {
			meta = append(meta, m)
		}
	}
	slices.SortFunc(meta, func(a, b object.Meta) int { return strings.Compare(a.Name, b.Name) })
	given.Meta = meta
	return given
}

// mayCopyTags checks that the caller may read the tags of the source, if it has
// any, and set them on the copy.
//
// Source: OSS API reference, CopyObject, permissions.
func (c *call) mayCopyTags(src object.Version, tags []object.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	action := "oss:GetObjectTagging"
	if src.ID != "" {
		action = "oss:GetObjectVersionTagging"
	}
	b := c.bucket
	if src.Bucket != b.Name {
		var err error
		if b, err = c.Buckets.Bucket(c.ctx, src.Bucket); err != nil {
			return err
		}
	}
	if err := c.allowOn(action, &b, src.Key, src.ID); err != nil {
		return err
	}
	return c.allow("oss:PutObjectTagging")
}

// copySymlink copies a symlink itself, not what it points to.
func (c *call) copySymlink(src object.Version, p object.Put, target string, prepare func(object.Info, *object.Put) error) (from, made object.Info, err error) {
	if from, err = c.Store.Head(c.ctx, src); err != nil {
		return from, made, err
	}
	switch err = prepare(from, &p); {
	case err == nil:
		return from, made, object.ErrPrecondition // replaced meanwhile by an object that is not a symlink
	case !errors.Is(err, errIsSymlink):
		return from, made, err
	}
	made, err = c.Store.PutSymlink(c.ctx, c.origin(), p, target)
	return from, made, err
}

// directive reads x-oss-metadata-directive or x-oss-tagging-directive: whether
// the copy keeps what the source has.
func (c *call) directive(name string) (keep bool, err error) {
	switch v := c.r.Header.Get(name); strings.ToLower(v) {
	case "", "copy":
		return true, nil
	case "replace":
		return false, nil
	default:
		return false, request.InvalidArgument(name, v, "COPY or REPLACE is expected")
	}
}

// uploadPartCopy answers UploadPartCopy.
func (c *call) uploadPartCopy() error {
	u, number, err := c.partOf()
	if err != nil {
		return err
	}
	if err := noPartEncryption(c.r.Header); err != nil {
		return err
	}
	src, err := c.source()
	if err != nil {
		return err
	}
	part, err := sourceRange(c.r.Header.Get("X-Oss-Copy-Source-Range"))
	if err != nil {
		return err
	}
	from, made, err := c.Store.UploadPartCopy(c.ctx, c.origin(), u, number, src, part.off, part.n, func(from object.Info) error {
		if part.n >= 0 && part.off+part.n > from.Size || part.off > from.Size {
			return errInvalidRange
		}
		return c.sourceReady(&from)
	})
	if err != nil {
		return withEC(sourceDetail(err, src), object.ErrNoSuchUpload, "0042-00000311")
	}
	c.set("ETag", `"`+partETag(&made)+`"`)
	c.set("x-oss-copy-source-version-id", from.VersionID)
	return c.xml(func(x *ossxml.Writer) {
		x.Start("CopyPartResult")
		x.Time("LastModified", made.LastModified)
		x.Text("ETag", `"`+partETag(&made)+`"`)
		x.End("CopyPartResult")
	})
}

// sourceRange reads x-oss-copy-source-range: bytes=a-b. n is -1 for everything from
// off to the end.
func sourceRange(v string) (byteRange, error) {
	if v == "" {
		return byteRange{0, -1}, nil
	}
	spec, ok := strings.CutPrefix(v, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	from, ok1 := request.ParseDigits(first)
	to, ok2 := request.ParseDigits(last)
	switch {
	case !ok || !dash || !ok1:
	case last == "":
		return byteRange{from, -1}, nil
	case ok2 && from <= to && to < 1<<62:
		return byteRange{from, to - from + 1}, nil
	}
	return byteRange{}, request.InvalidArgument("x-oss-copy-source-range", v, "bytes=first-last is expected")
}

func partETag(p *object.Part) string {
	e := stocktake.ETag{Sum: p.MD5}
	return e.String()
}
