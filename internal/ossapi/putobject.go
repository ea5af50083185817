package ossapi

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
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
	var back *callback
	if c.asksForCallback() {
		if back, err = c.readCallback(); err != nil {
			return err
		}
	}
	info, err := c.Store.PutObject(c.ctx, c.origin(), p, c.body)
	if err != nil {
		return err
	}
	if back != nil {
		return c.sendCallback(back, &info)
	}
	c.setWriteHeaders(&info)
	return c.empty(http.StatusOK)
}

// asksForCallback reports whether the client asks for a callback once its
// object is stored.
func (c *call) asksForCallback() bool {
	return c.r.Header.Get("X-Oss-Callback") != "" || c.query.Get("callback") != ""
}

// newPut reads the parts of a request that all writes of objects share.
func (c *call) newPut() (object.Put, error) {
	a, err := c.attributes()
	return object.Put{Attributes: a, Bucket: c.at.Bucket, Key: c.at.Key}, err
}

// setWriteHeaders sets the headers of an answer to a write.
func (c *call) setWriteHeaders(info *object.Info) {
	c.set("ETag", quoteETag(info))
	c.set("x-oss-hash-crc64ecma", strconv.FormatUint(info.CRC64, 10))
	if info.MD5 != nil {
		c.set("Content-MD5", base64.StdEncoding.EncodeToString(info.MD5))
	}
	c.set("x-oss-version-id", info.VersionID)
	if info.Encryption.Algorithm != "" {
		c.encryptionHeaders(info.Encryption)
	}
}

func quoteETag(info *object.Info) string {
	b := append(make([]byte, 0, 48), '"')
	return string(append(info.ETag.AppendText(b), '"'))
}

// maxMeta bounds the names and values of an object's user metadata, and maxHeader
// each other header that is stored with it, in bytes.
//
// Source: OSS API reference, PutObject, x-oss-meta-*.
const (
	maxMeta   = 8 << 10
	maxHeader = 1 << 10
)

// defaultContentType is the type of an object that is put without one.
const defaultContentType = "application/octet-stream"

// attributes reads the headers of a write that describe the object. A write that
// sets an ACL or tags requires the rights of the operations that set them.
func (c *call) attributes() (a object.Attributes, err error) {
	h := c.r.Header
	if a.Headers, err = storedHeaders(h); err != nil {
		return a, err
	}
	if v := h.Get("X-Oss-Storage-Class"); v != "" {
		class, ok := stocktake.ParseStorageClass(v)
		if !ok {
			return a, request.InvalidArgument("x-oss-storage-class", v, "")
		}
		a.StorageClass = &class
	}
	if h.Get("X-Oss-Object-Acl") != "" {
		if a.ACL, err = c.newObjectACL(); err != nil {
			return a, err
		}
	}
	if e := encryptionOf(h); e != (object.Encryption{}) { // else the bucket decides
		if e, err = checkEncryption(e, headerEncryption, headerEncryptionKey, headerDataEncryption); err != nil {
			return a, err
		}
		a.Encryption = &e
	}
	if v := h.Get("X-Oss-Tagging"); v != "" {
		if a.Tags, err = c.newTags(v); err != nil {
			return a, err
		}
	}
	a.ForbidOverwrite, err = forbidOverwrite(h)
	return a, err
}

// encryptionOf returns the encryption that the headers of a write ask for.
func encryptionOf(h http.Header) object.Encryption {
	return object.Encryption{Algorithm: h.Get(headerEncryption), KeyID: h.Get(headerEncryptionKey), Data: h.Get(headerDataEncryption)}
}

func forbidOverwrite(h http.Header) (bool, error) {
	switch v := h.Get("X-Oss-Forbid-Overwrite"); strings.ToLower(v) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, request.InvalidArgument("x-oss-forbid-overwrite", v, "true or false is expected")
	}
}

// storedHeaders reads the headers that are stored with an object.
func storedHeaders(h http.Header) (k object.Headers, err error) {
	k = object.Headers{
		ContentType:        cmp.Or(h.Get("Content-Type"), defaultContentType),
		CacheControl:       h.Get("Cache-Control"),
		ContentDisposition: h.Get("Content-Disposition"),
		ContentEncoding:    strings.Join(h["Content-Encoding"], ", "),
		ContentLanguage:    h.Get("Content-Language"),
		Expires:            h.Get("Expires"),
	}
	for _, f := range [...][2]string{
		{"Content-Type", k.ContentType},
		{"Cache-Control", k.CacheControl},
		{"Content-Disposition", k.ContentDisposition},
		{"Content-Encoding", k.ContentEncoding},
		{"Content-Language", k.ContentLanguage},
		{"Expires", k.Expires},
	} {
		if len(f[1]) > maxHeader {
			return k, request.InvalidArgument(f[0], f[1], "it is too long")
		}
	}
	k.Meta, err = userMeta(h)
	return k, err
}

const metaPrefix = "X-Oss-Meta-"

// userMeta reads the headers x-oss-meta-*.
func userMeta(h http.Header) (meta []object.Meta, err error) {
	size := 0
	for name, values := range h {
		if len(name) <= len(metaPrefix) || !strings.EqualFold(name[:len(metaPrefix)], metaPrefix) {
			continue
		}
		m := object.Meta{Name: strings.ToLower(name[len(metaPrefix):]), Value: strings.Join(values, ",")}
		if size += len(m.Name) + len(m.Value); size > maxMeta {
			return nil, request.InvalidArgument("x-oss-meta-*", m.Name, "user metadata may have 8 KB in all")
		}
		meta = append(meta, m)
	}
	slices.SortFunc(meta, func(a, b object.Meta) int { return strings.Compare(a.Name, b.Name) })
	return meta, nil
}
