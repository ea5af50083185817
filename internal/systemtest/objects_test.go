package systemtest

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

func contentMD5(data []byte) string {
	h := md5.Sum(data)
	return base64.StdEncoding.EncodeToString(h[:])
}

func (w *world) put() {
	b := w.bucket()
	q := w.on(b, "PUT", w.key(b))
	v := &version{attributes: w.describe(b, q), kind: "Normal", data: w.data(), md5: true}
	v.etag, q.body, q.chunked = sum(v.data), v.data, w.chance(4)
	forbidden := w.forbid(b, q)
	wrong := w.chance(12)
	switch {
	case wrong:
		q.header["Content-MD5"] = contentMD5([]byte("something else"))
	case w.chance(3):
		q.header["Content-MD5"] = contentMD5(v.data)
	}
	a := w.send(q)
	switch {
	case wrong && forbidden && a.code == "FileAlreadyExists": // the order of the two is unspecified
	case wrong:
		w.expect(a, 400, "InvalidDigest")
	case forbidden:
		w.expect(a, 409, "FileAlreadyExists")
	default:
		w.expect(a, 200, "")
		w.digests(a, v)
		w.headers(a, map[string]string{"Content-Md5": contentMD5(v.data)})
		w.made(a, b, q.key, v)
	}
}

// get reads an object or its headers with random parameters.
func (w *world) get() {
	b := w.bucket()
	q := w.on(b, pick(w, "GET", "GET", "HEAD"), w.key(b))
	id := w.versionOf(b, q.key)
	q.version(id)
	v, no := b.find(q.key, id)
	data := v
	if v != nil && v.kind == "Symlink" {
		switch data = b.current(v.link); {
		case data == nil:
			no = &refusal{404, "SymlinkTargetNotExist", nil}
		case data.kind == "Symlink":
			no = &refusal{400, "InvalidTargetType", nil}
		}
	}
	if id == "" && w.chance(6) {
		q.who = pick(w, signature.Credentials{}, other)
		// A caller who may not read the target of a symlink does not learn whether it exists.
		if !b.publicRead(q.key) || v != nil && v.link != "" && !b.publicRead(v.link) {
			no = &refusal{403, "AccessDenied", nil}
		}
	}
	if no != nil {
		w.refused(w.send(q), no)
		return
	}
	modified := v.modified
	if data.modified.After(modified) {
		modified = data.modified
	}
	failed := w.condition(q, "", data.etag, modified)
	from, n, partial, outside := int64(0), int64(len(data.data)), false, false
	if q.method == "GET" && w.chance(2) {
		from, n, partial, outside = w.span(q, n)
	}
	meta := q.method == "HEAD" && failed == 0 && w.chance(3)
	if meta {
		q.query["objectMeta"] = ""
	}
	a := w.send(q)
	switch {
	case failed == 304:
		w.expect(a, 304, "")
		return
	case failed == 412:
		w.expect(a, 412, "PreconditionFailed")
		return
	case q.method == "GET" && !data.readable(w.clock.now()):
		w.expect(a, 403, "InvalidObjectState")
		return
	case outside:
		w.expect(a, 416, "InvalidRange")
		return
	case partial:
		w.expect(a, 206, "")
		w.headers(a, map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, len(data.data))})
	default:
		w.expect(a, 200, "")
		w.headers(a, map[string]string{"Content-Range": ""})
	}
	w.digests(a, data)
	w.headers(a, map[string]string{
		"Content-Length": strconv.FormatInt(n, 10), "Last-Modified": w.clock.header(modified), "X-Oss-Version-Id": b.shown(v),
	})
	if q.method == "GET" {
		w.sameBytes(data.data[from:from+n], a.body)
	} else if len(a.body) > 0 {
		w.fatalf("HEAD has a body of %d bytes", len(a.body))
	}
	if !meta {
		w.describes(a, v, data)
	}
}

// describes checks the headers that were set when the object was written.
func (w *world) describes(a answer, v, data *version) {
	w.t.Helper()
	want := map[string]string{
		"Content-Type": v.contentType, "Cache-Control": v.cacheControl, "X-Oss-Meta-Color": v.meta["color"],
		"X-Oss-Object-Type": v.kind, "X-Oss-Storage-Class": v.class, "X-Oss-Server-Side-Encryption": v.sse,
		"X-Oss-Tagging-Count": "", "X-Oss-Next-Append-Position": "", "X-Oss-Restore": "", "Content-Md5": "", "X-Oss-Delete-Marker": "",
	}
	if len(v.tags) > 0 {
		want["X-Oss-Tagging-Count"] = strconv.Itoa(len(v.tags))
	}
	if v.kind == "Appendable" {
		want["X-Oss-Next-Append-Position"] = strconv.Itoa(len(v.data))
	}
	if data.md5 {
		want["Content-Md5"] = contentMD5(data.data)
	}
	switch now := w.clock.now(); {
	case v.restoreReady.IsZero() || !now.Before(v.restoreExpires):
	case now.Before(v.restoreReady):
		want["X-Oss-Restore"] = `ongoing-request="true"`
	default:
		want["X-Oss-Restore"] = fmt.Sprintf(`ongoing-request="false", expiry-date=%q`, w.clock.header(v.restoreExpires))
	}
	w.headers(a, want)
}

// condition draws a condition on an object and returns the status of its failure; 0 if the
// condition holds.
func (w *world) condition(q *request, prefix, etag string, modified time.Time) int {
	if !w.chance(4) {
		return 0
	}
	match := pick(w, `"`+etag+`"`, strings.ToLower(etag), `"D41D8CD98F00B204E9800998ECF8427F0"`, "*")
	date := modified.Add(pick(w, 0, -time.Second, time.Second, -time.Hour))
	same, after := strings.EqualFold(strings.Trim(match, `"`), etag) || match == "*", modified.Truncate(time.Second).After(date.Truncate(time.Second))
	switch kind := pick(w, "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"); kind {
	case "If-Match":
		q.header[prefix+kind] = match
		if !same {
			return 412
		}
	case "If-None-Match":
		q.header[prefix+kind] = match
		if same {
			return 304
		}
	case "If-Modified-Since":
		q.header[prefix+kind] = w.clock.header(date)
		if !after {
			return 304
		}
	case "If-Unmodified-Since":
		q.header[prefix+kind] = w.clock.header(date)
		if after {
			return 412
		}
	}
	return 0
}

// span draws a range and returns the expected part of size bytes.
func (w *world) span(q *request, size int64) (from, n int64, partial, outside bool) {
	standard := w.chance(2)
	if standard {
		q.header["x-oss-range-behavior"] = "standard"
	}
	near := func() int64 { return max(0, pick(w, 0, 1, size/2, size-1, size, size+1)) }
	first, last := near(), near()
	switch w.draw(4) {
	case 0:
		q.header["Range"] = fmt.Sprintf("bytes=%d-%d", first, last)
		if last < first {
			return 0, size, false, false
		}
	case 1:
		q.header["Range"] = fmt.Sprintf("bytes=%d-", first)
		last = size - 1
	case 2:
		q.header["Range"] = fmt.Sprintf("bytes=-%d", last)
		switch {
		case last >= 1 && last <= size:
			return size - last, last, true, false
		case !standard:
			return 0, size, false, false
		case last > size && size > 0:
			return 0, size, true, false
		}
		return 0, 0, false, true
	case 3:
		q.header["Range"] = pick(w, "bytes=0-0,2-3", "bytes=x-", "bytes=-", "lines=0-1", "bytes=1-0", "bytes 0-1", "bytes=+1-2")
		return 0, size, false, false
	}
	switch {
	case first < size && last < size:
		return first, last - first + 1, true, false
	case !standard:
		return 0, size, false, false
	case first < size:
		return first, size - first, true, false
	}
	return 0, 0, false, true
}

func (w *world) delete() {
	b := w.bucket()
	q := w.on(b, "DELETE", w.key(b))
	id := w.versionOf(b, q.key)
	a := w.send(q.version(id))
	w.expect(a, 204, "")
	w.headers(a, w.deleted(b, q.key, id, a.header.Get("X-Oss-Version-Id")))
}

// deleted applies a deletion to the model and returns the expected headers. made is the version
// id in the answer.
func (w *world) deleted(b *bucket, key, id, made string) map[string]string {
	w.t.Helper()
	want := map[string]string{"X-Oss-Delete-Marker": "", "X-Oss-Version-Id": ""}
	if id == "" && b.versioning != "" {
		v := &version{marker: true, modified: w.clock.now()}
		v.id = w.newID(answer{header: http.Header{"X-Oss-Version-Id": {made}}}, b)
		b.add(key, v)
		want["X-Oss-Delete-Marker"], want["X-Oss-Version-Id"] = "true", v.id
		return want
	}
	if b.versioning != "" {
		want["X-Oss-Version-Id"] = id
	} else if id == "" {
		id = "null"
	}
	if v := b.byID(key, id); v != nil {
		if v.marker {
			want["X-Oss-Delete-Marker"] = "true"
		}
		b.drop(key, v)
	}
	return want
}

// character encodes a character in XML as the SDKs do: some characters by their number.
func character(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r > 0xfffd && r < 0x10000 || strings.ContainsRune("&<>\"'", r) {
			fmt.Fprintf(&b, "&#x%X;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (w *world) deleteMultiple() {
	b := w.bucket()
	type named struct{ Key, VersionID string }
	type deleted struct {
		Key                   string
		VersionID             string `xml:"VersionId"`
		DeleteMarker          bool
		DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId"`
	}
	var doc struct {
		Quiet  bool
		Object []named
	}
	keys := map[string]bool{}
	for range 1 + w.draw(4) {
		key := w.key(b)
		if keys[key] || strings.Contains(key, "\x00") {
			continue // XML cannot represent this key
		}
		keys[key] = true
		doc.Object = append(doc.Object, named{key, w.versionOf(b, key)})
	}
	if len(doc.Object) == 0 {
		return
	}
	doc.Quiet = w.chance(4)
	q := w.on(b, "POST", "", "delete", "")
	encoded := w.chance(2)
	for key := range keys {
		encoded = encoded || strings.ContainsAny(key, "\x01\r\uffff")
	}
	if encoded {
		q.query["encoding-type"] = "url"
	}
	var body strings.Builder
	fmt.Fprintf(&body, "<Delete><Quiet>%t</Quiet>", doc.Quiet)
	for _, o := range doc.Object {
		fmt.Fprintf(&body, "<Object><Key>%s</Key>", character(o.Key))
		if o.VersionID != "" {
			fmt.Fprintf(&body, "<VersionId>%s</VersionId>", o.VersionID)
		}
		body.WriteString("</Object>")
	}
	body.WriteString("</Delete>")
	q.body = []byte(body.String())
	q.header["Content-MD5"] = contentMD5(q.body)
	if doc.Quiet && b.versioning == "Enabled" {
		for _, o := range doc.Object {
			if o.VersionID == "" {
				return // the ids of the markers would remain unknown
			}
		}
	}
	a := w.send(q)
	if slices.ContainsFunc(doc.Object, func(o named) bool { return o.VersionID == "nonsense" }) {
		w.expect(a, 400, "InvalidArgument") // and none is deleted
		return
	}
	w.expect(a, 200, "")
	var got struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []deleted
	}
	w.decode(a, &got)
	if doc.Quiet && len(got.Deleted) > 0 || !doc.Quiet && len(got.Deleted) != len(doc.Object) {
		w.fatalf("%d deleted of %d\n%s", len(got.Deleted), len(doc.Object), a.body)
	}
	for i, o := range doc.Object {
		made := "null"
		if b.versioning == "" {
			made = ""
		}
		if !doc.Quiet && b.versioning == "Enabled" {
			made = got.Deleted[i].DeleteMarkerVersionID
		}
		want := w.deleted(b, o.Key, o.VersionID, made)
		if doc.Quiet {
			continue
		}
		d := deleted{Key: o.Key, VersionID: o.VersionID, DeleteMarker: want["X-Oss-Delete-Marker"] == "true"}
		if d.DeleteMarker {
			d.DeleteMarkerVersionID = want["X-Oss-Version-Id"]
		}
		got.Deleted[i].Key = w.name(got.Deleted[i].Key, encoded)
		w.equal("deleted", d, got.Deleted[i])
	}
}
