package systemtest

import (
	"crypto/md5"
	"encoding/hex"
	"hash/crc64"
	"maps"
	"slices"
	"strings"
	"time"
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// A bucket is the expected state of a bucket: the specification in its simplest form.
type bucket struct {
	name       string
	acl        string
	blocked    bool                  // public access is
	versioning string                // as in the document; empty: never enabled
	sse        string                // default encryption
	sm4        bool                  // of KMS
	versions   map[string][]*version // newest first
	uploads    map[string]*upload    // by id
}

func newBucket(name, acl string) *bucket {
	return &bucket{name: name, acl: acl, blocked: acl == "private", versions: map[string][]*version{}, uploads: map[string]*upload{}}
}

// attributes are the parts of a write other than the bytes.
type attributes struct {
	contentType, cacheControl string
	meta                      map[string]string
	tags                      [][2]string
	class, acl, sse           string
}

type version struct {
	attributes
	id       string // null in a bucket without versioning
	marker   bool
	kind     string // x-oss-object-type
	data     []byte
	etag     string // without quotes
	md5      bool   // it is that of the data
	modified time.Time
	link     string // target of a symlink
	sealed   bool

	restoreReady, restoreExpires time.Time // zero: not restored
}

type upload struct {
	attributes
	key       string
	initiated time.Time
	parts     map[int][]byte
}

func sum(data []byte) string {
	h := md5.Sum(data)
	return strings.ToUpper(hex.EncodeToString(h[:]))
}

func (v *version) crc() uint64 { return crc64.Checksum(v.data, crcTable) }

// readable reports whether the content can be read.
func (v *version) readable(now time.Time) bool {
	return v.class != "Archive" || !v.restoreReady.IsZero() && !now.Before(v.restoreReady) && now.Before(v.restoreExpires)
}

// current returns the newest version, or nil if that is a delete marker or there is none.
func (b *bucket) current(key string) *version {
	if list := b.versions[key]; len(list) > 0 && !list[0].marker {
		return list[0]
	}
	return nil
}

// shown returns a version id as it appears in headers.
func (b *bucket) shown(v *version) string {
	if b.versioning == "" {
		return ""
	}
	return v.id
}

func (b *bucket) drop(key string, v *version) {
	b.versions[key] = slices.DeleteFunc(b.versions[key], func(o *version) bool { return o == v })
	if len(b.versions[key]) == 0 {
		delete(b.versions, key)
	}
}

// add makes v the current version.
func (b *bucket) add(key string, v *version) {
	if v.id == "null" {
		if old := b.byID(key, "null"); old != nil {
			b.drop(key, old)
		}
	}
	b.versions[key] = slices.Insert(b.versions[key], 0, v)
}

func (b *bucket) byID(key, id string) *version {
	for _, v := range b.versions[key] {
		if v.id == id {
			return v
		}
	}
	return nil
}

// A refusal is an error answer.
type refusal struct {
	status int
	code   string
	header map[string]string
}

// find returns the version that a read names.
func (b *bucket) find(key, id string) (*version, *refusal) {
	if id != "" {
		v := b.byID(key, id)
		switch {
		case v == nil:
			return nil, &refusal{404, "NoSuchVersion", nil}
		case v.marker:
			return nil, &refusal{405, "MethodNotAllowed", map[string]string{"X-Oss-Delete-Marker": "true", "X-Oss-Version-Id": id}}
		}
		return v, nil
	}
	list := b.versions[key]
	switch {
	case len(list) == 0:
		return nil, &refusal{404, "NoSuchKey", map[string]string{"X-Oss-Delete-Marker": ""}}
	case list[0].marker:
		return nil, &refusal{404, "NoSuchKey", map[string]string{"X-Oss-Delete-Marker": "true", "X-Oss-Version-Id": list[0].id}}
	}
	return list[0], nil
}

// publicRead reports whether anonymous callers may read the current version.
func (b *bucket) publicRead(key string) bool {
	acl := b.acl
	if v := b.current(key); v != nil && v.acl != "default" {
		acl = v.acl
	}
	return acl != "private" && !b.blocked
}

// An item is a line of a listing: a version or a common prefix.
type item struct {
	Key, Prefix         string
	VersionID           string
	IsLatest, Marker    bool
	ETag, Type, Class   string
	Size                int64
	Modified, Requested string
}

// xmlTime returns a time as documents show it: to the second.
func xmlTime(t time.Time) string { return t.Format("2006-01-02T15:04:05") + ".000Z" }

// list returns the rest of a listing after a position.
func (b *bucket) list(prefix, delimiter, after string, versions bool) (items []item) {
	last := ""
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || !versions && b.current(key) == nil {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			if group := prefix + rest[:i+len(delimiter)]; group > after && group != last {
				items = append(items, item{Prefix: group})
				last = group
			}
			continue
		}
		if key <= after {
			continue
		}
		for i, v := range b.versions[key] {
			it := item{Key: key, Modified: xmlTime(v.modified)}
			if versions {
				it.VersionID, it.IsLatest, it.Marker = v.id, i == 0, v.marker
			}
			if !v.marker {
				it.ETag, it.Type, it.Class, it.Size = `"`+v.etag+`"`, v.kind, v.class, int64(len(v.data))
			}
			items = append(items, it)
			if !versions {
				break
			}
		}
	}
	return items
}
