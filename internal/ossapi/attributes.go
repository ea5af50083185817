package ossapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// maxMeta bounds the names and values of an object's user metadata, and
// maxHeader every other header that is kept with it, in bytes.
//
// Source: OSS API reference, PutObject, x-oss-meta-*.
const (
	maxMeta   = 8 << 10
	maxHeader = 1 << 10
)

// defaultContentType is that of an object put without one.
const defaultContentType = "application/octet-stream"

// attributes reads what the headers of a write say of the object. Setting an
// ACL or tags on the way needs the rights of the operations that set them.
func (c *call) attributes() (a object.Attributes, err error) {
	h := c.r.Header
	if a.Headers, err = keptHeaders(h); err != nil {
		return a, err
	}
	if v := h.Get("X-Oss-Storage-Class"); v != "" {
		class, ok := stocktake.ParseStorageClass(v)
		if !ok {
			return a, request.InvalidArgument("x-oss-storage-class", v, "")
		}
		a.StorageClass = &class
	}
	if a.ACL, err = c.objectACL(false); err != nil {
		return a, err
	}
	if a.Encryption, err = encryptionOf(h); err != nil {
		return a, err
	}
	if a.Tags, err = c.tagsOfHeader(); err != nil {
		return a, err
	}
	a.ForbidOverwrite, err = forbidOverwrite(h)
	return a, err
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

// objectACL reads x-oss-object-acl.
func (c *call) objectACL(required bool) (stocktake.ACL, error) {
	v := c.r.Header.Get("X-Oss-Object-Acl")
	if v == "" && !required {
		return stocktake.DefaultACL, nil
	}
	acl, ok := stocktake.ParseACL(v)
	switch {
	case !ok:
		return 0, request.InvalidArgument("x-oss-object-acl", v, "default, private, public-read or public-read-write is expected")
	case acl > stocktake.Private && c.bucket.BlockPublicAccess:
		return 0, errPublicObjectACL
	case required || acl == stocktake.DefaultACL:
		return acl, nil
	}
	return acl, c.allow("oss:PutObjectAcl")
}

func (c *call) tagsOfHeader() ([]object.Tag, error) {
	v := c.r.Header.Get("X-Oss-Tagging")
	if v == "" {
		return nil, nil
	}
	tags, err := parseTagging("x-oss-tagging", v, maxObjectTags)
	if err != nil {
		return nil, err
	}
	return tags, c.allow("oss:PutObjectTagging")
}

// encryptionOf reads the encryption that a write asks for; nil if it leaves it
// to the bucket.
func encryptionOf(h http.Header) (*object.Encryption, error) {
	const algorithm, key, data = "x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id", "x-oss-server-side-data-encryption"
	e := object.Encryption{Algorithm: h.Get(algorithm), KeyID: h.Get(key), Data: h.Get(data)}
	if e == (object.Encryption{}) {
		return nil, nil
	}
	return &e, checkEncryption(e, algorithm, key, data)
}

// keptHeaders reads the headers that are kept with an object.
func keptHeaders(h http.Header) (k object.Headers, err error) {
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
