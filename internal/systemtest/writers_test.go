package systemtest

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// source draws the source of a copy and sets the header. no is why it cannot be read.
func (w *world) source(q *request) (b *bucket, v *version, no *refusal) {
	b = w.bucket()
	key := w.key(b)
	id := w.versionOf(b, key)
	raw := "/" + b.name + "/" + escape(key)
	if id != "" {
		raw += "?versionId=" + id
	}
	q.header["x-oss-copy-source"] = raw
	v, no = b.find(key, id)
	if no != nil {
		no = &refusal{no.status, no.code, nil}
		return b, v, no
	}
	switch w.condition(q, "x-oss-copy-source-", v.etag, v.modified) {
	case 304:
		no = &refusal{304, "", nil}
	case 412:
		no = &refusal{412, "PreconditionFailed", nil}
	default:
		if !v.readable(w.clock.now()) {
			no = &refusal{403, "InvalidObjectState", nil}
		}
	}
	return b, v, no
}

func (w *world) copy() {
	b := w.bucket()
	q := w.on(b, "PUT", w.key(b))
	from, src, no := w.source(q)
	v := &version{attributes: w.describe(b, q), kind: "Normal", md5: true}
	forbidden := w.forbid(b, q)
	keepMeta, keepTags := true, true
	if w.chance(3) {
		q.header["x-oss-metadata-directive"], keepMeta = pick(w, "REPLACE", "replace"), false
	}
	if w.chance(3) {
		q.header["x-oss-tagging-directive"], keepTags = "Replace", false
	}
	if strings.HasPrefix(q.header["x-oss-copy-source"]+"?", "/"+b.name+"/"+escape(q.key)+"?") {
		keepMeta = false
		if _, given := q.header["x-oss-object-acl"]; !given && src != nil {
			v.acl = src.acl
		}
	}
	if no == nil {
		v.data, v.etag = src.data, sum(src.data)
		if keepMeta {
			v.contentType, v.cacheControl, v.meta = src.contentType, src.cacheControl, src.meta
		} else if q.header["Content-Type"] == "" {
			v.contentType = src.contentType
		}
		if keepTags {
			v.tags = src.tags
		}
		if src.kind == "Symlink" {
			v.kind, v.link, v.etag, v.sse, v.md5 = src.kind, src.link, src.etag, "", false
			if q.header["x-oss-storage-class"] == "Archive" {
				delete(q.header, "x-oss-storage-class") // there is nothing to archive
				v.class = "Standard"
			}
		}
	}
	a := w.send(q)
	switch {
	case no != nil:
		w.refused(a, no)
	case forbidden:
		w.expect(a, 409, "FileAlreadyExists")
	default:
		w.expect(a, 200, "")
		w.headers(a, map[string]string{"X-Oss-Copy-Source-Version-Id": from.shown(src)})
		if v.kind != "Symlink" {
			w.headers(a, map[string]string{"X-Oss-Hash-Crc64ecma": strconv.FormatUint(v.crc(), 10)})
		}
		w.made(a, b, q.key, v)
		var doc struct {
			XMLName      xml.Name `xml:"CopyObjectResult"`
			ETag         string
			LastModified string
		}
		w.decode(a, &doc)
		w.equal("ETag and date", []string{`"` + v.etag + `"`, xmlTime(v.modified)}, []string{doc.ETag, doc.LastModified})
	}
}

func (w *world) append() {
	b := w.bucket()
	q := w.on(b, "POST", w.key(b), "append", "")
	if w.chance(2) { // an object that can be appended to
		for _, key := range sortedKeys(b) {
			if v := b.current(key); v != nil && v.kind == "Appendable" {
				q.key = key
				break
			}
		}
	}
	v := b.current(q.key)
	length := 0
	if v != nil {
		length = len(v.data)
	}
	position := length
	if w.chance(6) {
		position = pick(w, 0, 1, length+1)
	}
	q.query["position"] = strconv.Itoa(position)
	fresh := &version{attributes: w.describe(b, q), kind: "Appendable"}
	if fresh.class == "Archive" {
		delete(q.header, "x-oss-storage-class") // these cannot be appended to
		fresh.class = "Standard"
	}
	q.body = w.data()
	a := w.send(q)
	switch {
	case v != nil && v.kind != "Appendable", v != nil && v.sealed:
		w.expect(a, 409, "ObjectNotAppendable")
		return
	case position != length:
		w.expect(a, 409, "PositionNotEqualToLength")
		w.headers(a, map[string]string{"X-Oss-Next-Append-Position": strconv.Itoa(length)})
		return
	}
	w.expect(a, 200, "")
	if v == nil {
		v = fresh
		v.data = q.body
		w.made(a, b, q.key, v)
	} else {
		v.data = append(append([]byte{}, v.data...), q.body...)
		v.modified = w.clock.now()
		if q.header["x-oss-object-acl"] != "" {
			v.acl = fresh.acl
		}
		w.headers(a, map[string]string{"X-Oss-Version-Id": b.shown(v)})
	}
	v.etag = w.opaque(a, v.data)
	w.digests(a, v)
	w.headers(a, map[string]string{"X-Oss-Next-Append-Position": strconv.Itoa(len(v.data))})
}

func (w *world) seal() {
	b := w.bucket()
	q := w.on(b, "POST", w.key(b), "seal", "")
	v, no := b.find(q.key, "")
	length := 0
	if v != nil {
		length = len(v.data)
	}
	position := length + pick(w, 0, 0, 1)
	q.query["position"] = strconv.Itoa(position)
	a := w.send(q)
	switch {
	case no != nil:
		w.refused(a, no)
	case v.kind != "Appendable":
		w.expect(a, 409, "ObjectNotAppendable")
	case position != length:
		w.expect(a, 409, "PositionNotEqualToLength")
	default:
		w.expect(a, 200, "")
		v.sealed = true
	}
}

func (w *world) symlink() {
	b := w.bucket()
	q := w.on(b, "PUT", w.key(b), "symlink", "")
	v := &version{attributes: w.describe(b, q), kind: "Symlink", link: w.key(b)}
	if v.class == "Archive" {
		delete(q.header, "x-oss-storage-class") // there is nothing to archive
		v.class = "Standard"
	}
	v.sse = ""
	q.header["x-oss-symlink-target"] = escape(v.link)
	forbidden := w.forbid(b, q)
	a := w.send(q)
	if forbidden {
		w.expect(a, 409, "FileAlreadyExists")
		return
	}
	w.expect(a, 200, "")
	v.etag = w.opaque(a, nil)
	w.made(a, b, q.key, v)
}

func (w *world) getSymlink() {
	b := w.bucket()
	q := w.on(b, "GET", w.key(b), "symlink", "")
	id := w.versionOf(b, q.key)
	v, no := b.find(q.key, id)
	a := w.send(q.version(id))
	switch {
	case no != nil:
		w.refused(a, no)
	case v.kind != "Symlink":
		w.expect(a, 400, "NotSymlink")
	default:
		w.expect(a, 200, "")
		w.headers(a, map[string]string{
			"X-Oss-Symlink-Target": escape(v.link), "ETag": `"` + v.etag + `"`, "X-Oss-Version-Id": b.shown(v),
			"X-Oss-Meta-Color": v.meta["color"],
		})
	}
}

func (w *world) tagging() {
	b := w.bucket()
	q := w.on(b, pick(w, "PUT", "GET", "DELETE"), w.key(b), "tagging", "")
	id := w.versionOf(b, q.key)
	v, no := b.find(q.key, id)
	tags := pick(w, nil, [][2]string{{"x", "=+:/"}}, [][2]string{{"k", "1"}, {"猫", ""}})
	type tag struct{ Key, Value string }
	type document struct {
		XMLName xml.Name `xml:"Tagging"`
		Tags    []tag    `xml:"TagSet>Tag"`
	}
	if q.method == "PUT" {
		var b strings.Builder
		b.WriteString("<Tagging><TagSet>")
		for _, t := range tags {
			b.WriteString("<Tag><Key>")
			_ = xml.EscapeText(&b, []byte(t[0]))
			b.WriteString("</Key><Value>")
			_ = xml.EscapeText(&b, []byte(t[1]))
			b.WriteString("</Value></Tag>")
		}
		b.WriteString("</TagSet></Tagging>")
		q.body = []byte(b.String())
	}
	a := w.send(q.version(id))
	if no != nil {
		w.refused(a, no)
		return
	}
	w.headers(a, map[string]string{"X-Oss-Version-Id": b.shown(v)})
	switch q.method {
	case "PUT":
		w.expect(a, 200, "")
		v.tags = tags
	case "DELETE":
		w.expect(a, 204, "")
		v.tags = nil
	case "GET":
		w.expect(a, 200, "")
		var doc document
		w.decode(a, &doc)
		var got [][2]string
		for _, t := range doc.Tags {
			got = append(got, [2]string{t.Key, t.Value})
		}
		w.equal("tags", v.tags, got)
	}
}

func (w *world) objectACL() {
	b := w.bucket()
	q := w.on(b, pick(w, "PUT", "GET"), w.key(b), "acl", "")
	id := w.versionOf(b, q.key)
	v, no := b.find(q.key, id)
	acl := pick(w, "private", "public-read", "public-read-write", "default", "")
	if q.method == "PUT" && acl != "" {
		q.header["x-oss-object-acl"] = acl
	}
	a := w.send(q.version(id))
	switch {
	case q.method == "PUT" && acl == "":
		w.expect(a, 400, "InvalidArgument")
		return
	case q.method == "PUT" && b.blocked && strings.HasPrefix(acl, "public"):
		w.expect(a, 403, "AccessDenied")
		return
	case no != nil:
		w.refused(a, no)
		return
	}
	w.expect(a, 200, "")
	w.headers(a, map[string]string{"X-Oss-Version-Id": b.shown(v)})
	if q.method == "PUT" {
		v.acl = acl
		if len(v.data) == 0 {
			v.modified = w.clock.now()
		}
		return
	}
	w.equal("ACL", v.acl, w.grant(a))
}

// grant returns the ACL in an answer.
func (w *world) grant(a answer) string {
	w.t.Helper()
	var doc struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Grant   string   `xml:"AccessControlList>Grant"`
	}
	w.decode(a, &doc)
	return doc.Grant
}

func (w *world) restore() {
	b := w.bucket()
	q := w.on(b, "POST", w.key(b), "restore", "")
	for _, key := range sortedKeys(b) {
		if v := b.current(key); v != nil && v.class == "Archive" {
			q.key = key // there is an object to restore
		}
	}
	id := w.versionOf(b, q.key)
	v, no := b.find(q.key, id)
	a := w.send(q.version(id))
	now := w.clock.now()
	switch {
	case no != nil:
		w.refused(a, no)
	case v.class != "Archive":
		w.expect(a, 400, "OperationNotSupported")
	case v.restoreReady.IsZero() || !now.Before(v.restoreExpires):
		w.expect(a, 202, "")
		v.restoreReady = now.Add(restoreTakes)
		v.restoreExpires = v.restoreReady.Add(restoreLasts)
	case now.Before(v.restoreReady):
		w.expect(a, 409, "RestoreAlreadyInProgress")
	default:
		w.expect(a, 200, "")
		v.restoreExpires = now.Add(restoreLasts)
	}
}
