package ossapi

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// getObject answers GetObject.
func (c *call) getObject() error {
	info, data, content, err := c.openObject()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := c.checkPreconditions(&info, &data); err != nil {
		return err
	}
	if !readable(&data, c.Now()) {
		return object.ErrNotRestored
	}
	wanted := c.r.Header.Get("Range")
	if !ifRange(c.r.Header.Get("If-Range"), data.ETag.String(), modifiedAt(&info, &data)) {
		wanted = ""
	}
	span, partial, err := parseRange(wanted, data.Size, standardRange(c.r.Header))
	if err != nil {
		return &request.DetailError{Err: err, Header: [][2]string{{"Content-Range", "bytes */" + strconv.FormatInt(data.Size, 10)}}}
	}
	overrides, err := c.overrides()
	if err != nil {
		return err
	}
	r, err := content.Range(span.off, span.n)
	if err != nil {
		return err
	}
	c.objectHeaders(&info, &data)
	for _, o := range overrides {
		c.set(o[0], o[1])
	}
	c.set("Content-Length", strconv.FormatInt(span.n, 10))
	status := http.StatusOK
	if partial {
		c.set("Content-Range", span.contentRange(data.Size))
		status = http.StatusPartialContent
	}
	c.w.WriteHeader(status)
	if n, err := io.Copy(c.w, r); err != nil || n != span.n {
		return c.broken(err)
	}
	return nil
}

// broken ends an answer that cannot be sent completely. It logs a warning, unless
// the client has disconnected.
func (c *call) broken(err error) error {
	if c.ctx.Err() == nil {
		c.Log.WarnContext(c.ctx, "cannot send the rest of an object", c.attrs("err", err)...)
	}
	panic(http.ErrAbortHandler)
}

// openObject opens the object that a read names. info is the object under the key,
// data is the object that holds the bytes. They differ only for a symlink, which is
// followed once.
func (c *call) openObject() (info, data object.Info, content object.Content, err error) {
	v, err := c.version()
	if err != nil {
		return info, data, nil, err
	}
	if info, content, err = c.Store.Open(c.ctx, v); err != nil {
		return info, data, nil, c.markerDetail(err, v)
	}
	if info.Type != stocktake.Symlink {
		return info, info, content, nil
	}
	content.Close()
	// Check the right first: a caller without it must not learn whether the target
	// exists.
	if err := c.allowKey("oss:GetObject", info.Symlink); err != nil {
		return info, data, nil, err
	}
	data, content, err = c.Store.Open(c.ctx, object.Version{Bucket: v.Bucket, Key: info.Symlink})
	switch {
	case errors.Is(err, object.ErrNoSuchKey):
		return info, data, nil, errTargetMissing
	case err != nil:
		return info, data, nil, err
	case data.Type == stocktake.Symlink:
		content.Close()
		return info, data, nil, errTargetType
	}
	return info, data, content, nil
}

// headOf returns what openObject returns, without the content.
func (c *call) headOf() (info, data object.Info, err error) {
	v, err := c.version()
	if err != nil {
		return info, data, err
	}
	if info, err = c.Store.Head(c.ctx, v); err != nil {
		return info, data, c.markerDetail(err, v)
	}
	if info.Type != stocktake.Symlink {
		return info, info, nil
	}
	if err := c.allowKey("oss:GetObject", info.Symlink); err != nil {
		return info, data, err
	}
	data, err = c.Store.Head(c.ctx, object.Version{Bucket: v.Bucket, Key: info.Symlink})
	switch {
	case errors.Is(err, object.ErrNoSuchKey):
		return info, data, errTargetMissing
	case err != nil:
		return info, data, err
	case data.Type == stocktake.Symlink:
		return info, data, errTargetType
	}
	return info, data, nil
}

// version returns the object version that a request names.
func (c *call) version() (object.Version, error) {
	id, err := c.query.Version()
	return object.Version{Bucket: c.at.Bucket, Key: c.at.Key, ID: id}, err
}

// markerDetail adds the headers of a read of a version that is a delete marker.
func (c *call) markerDetail(err error, v object.Version) error {
	if errors.Is(err, object.ErrMethodNotAllowed) {
		return &request.DetailError{Err: err, Header: [][2]string{{"x-oss-delete-marker", "true"}, {"x-oss-version-id", v.ID}}}
	}
	return err
}

// checkPreconditions checks the request's preconditions. If one does not hold, the
// answer names the object's current state.
func (c *call) checkPreconditions(info, data *object.Info) error {
	err := readPreconditions(c.r.Header).check(data.ETag.String(), modifiedAt(info, data))
	if err != nil {
		c.set("ETag", quoteETag(data))
		c.set("Last-Modified", lastModified(modifiedAt(info, data)))
	}
	return err
}

// modifiedAt returns when a read's object last changed. For a symlink it returns
// the later of the symlink's time and its target's.
//
// Source: OSS API reference, GetObject of a symlink.
func modifiedAt(info, data *object.Info) time.Time {
	if data.LastModified.After(info.LastModified) {
		return data.LastModified
	}
	return info.LastModified
}

func standardRange(h http.Header) bool {
	return strings.EqualFold(h.Get("X-Oss-Range-Behavior"), "standard")
}

// overrides reads the response-* parameters, by which the client sets headers
// of the answer.
func (c *call) overrides() (headers [][2]string, err error) {
	for _, p := range c.query {
		name, ok := overridable[p.Name]
		if !ok {
			continue
		}
		if c.anonymous() {
			return nil, errAnonymousHeaders
		}
		if len(p.Value) > maxHeader || strings.ContainsFunc(p.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, request.InvalidArgument(p.Name, p.Value, "it is not the value of a header")
		}
		headers = append(headers, [2]string{name, p.Value})
	}
	return headers, nil
}

var overridable = map[string]string{
	"response-content-type":        "Content-Type",
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
	"response-content-language":    "Content-Language",
	"response-expires":             "Expires",
}

// headObject answers HeadObject.
func (c *call) headObject() error {
	info, data, err := c.headOf()
	if err != nil {
		return err
	}
	if err := c.checkPreconditions(&info, &data); err != nil {
		return err
	}
	c.objectHeaders(&info, &data)
	if !info.TransitionTime.IsZero() {
		c.set("x-oss-transition-time", lastModified(info.TransitionTime))
	}
	c.set("Content-Length", strconv.FormatInt(data.Size, 10))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// getObjectMeta answers GetObjectMeta.
func (c *call) getObjectMeta() error {
	info, data, err := c.headOf()
	if err != nil {
		return err
	}
	c.set("ETag", quoteETag(&data))
	c.set("Last-Modified", lastModified(modifiedAt(&info, &data)))
	c.set("x-oss-hash-crc64ecma", strconv.FormatUint(data.CRC64, 10))
	c.set("x-oss-version-id", info.VersionID)
	if !info.TransitionTime.IsZero() {
		c.set("x-oss-transition-time", lastModified(info.TransitionTime))
	}
	c.set("Content-Length", strconv.FormatInt(data.Size, 10))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// objectHeaders sets the headers of a GET or HEAD of an object, except its length.
// info is the object under the key, data the object that holds the bytes.
func (c *call) objectHeaders(info, data *object.Info) {
	k := &info.Headers
	c.set("Content-Type", k.ContentType)
	c.set("Cache-Control", k.CacheControl)
	c.set("Content-Disposition", k.ContentDisposition)
	c.set("Content-Encoding", k.ContentEncoding)
	c.set("Content-Language", k.ContentLanguage)
	c.set("Expires", k.Expires)
	for _, m := range k.Meta {
		c.set("x-oss-meta-"+m.Name, m.Value)
	}
	c.set("Accept-Ranges", "bytes")
	c.set("ETag", quoteETag(data))
	c.set("Last-Modified", lastModified(modifiedAt(info, data)))
	if data.MD5 != nil {
		c.set("Content-MD5", base64.StdEncoding.EncodeToString(data.MD5))
	}
	c.set("x-oss-hash-crc64ecma", strconv.FormatUint(data.CRC64, 10))
	c.set("x-oss-object-type", info.Type.String())
	c.set("x-oss-storage-class", info.StorageClass.String())
	c.set("x-oss-version-id", info.VersionID)
	c.encryptionHeaders(info.Encryption)
	if n := len(info.Tags); n > 0 {
		c.set("x-oss-tagging-count", strconv.Itoa(n))
	}
	if info.Type == stocktake.Appendable {
		c.set("x-oss-next-append-position", strconv.FormatInt(info.Size, 10))
	}
	c.set("x-oss-restore", restoreHeader(info, c.Now()))
	c.set("x-oss-expiration", c.expiration(info))
}
