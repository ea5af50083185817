package systemtest

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parameter that a test passes to restore, and its duration.
const (
	restoreTakes = time.Minute
	restoreLasts = 24 * time.Hour
)

func sortedKeys(b *bucket) []string { return slices.Sorted(maps.Keys(b.versions)) }

// minPart is the smallest size of a part other than the last, in bytes.
const minPart = 100 << 10

func (w *world) initiate() { w.begin(w.bucket()) }

// begin initiates an upload in b.
func (w *world) begin(b *bucket) (id, key string, u *upload) {
	q := w.on(b, "POST", w.key(b), "uploads", "")
	u = &upload{attributes: w.describe(b, q), key: q.key, initiated: w.clock.now(), parts: map[int][]byte{}}
	encoded := w.encoded(q)
	a := w.send(q)
	w.expect(a, 200, "")
	w.headers(a, map[string]string{"X-Oss-Server-Side-Encryption": u.sse})
	var doc struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadID string
		ID                    string `xml:"UploadId"`
	}
	w.decode(a, &doc)
	w.equal("bucket and key", []string{b.name, q.key}, []string{doc.Bucket, w.name(doc.Key, encoded)})
	if len(doc.ID) != 32 || strings.ToUpper(doc.ID) != doc.ID || b.uploads[doc.ID] != nil {
		w.fatalf("upload id %q", doc.ID)
	}
	b.uploads[doc.ID] = u
	return doc.ID, q.key, u
}

// multipart makes an object of several parts that are large enough.
func (w *world) multipart() {
	b := w.bucket()
	id, key, u := w.begin(b)
	for n := range 2 + w.draw(3) {
		data := w.bytes(minPart + w.draw(3))
		q := w.on(b, "PUT", key, "uploadId", id, "partNumber", strconv.Itoa(n+1))
		q.body = data
		w.expect(w.send(q), 200, "")
		u.parts[n+1] = data
	}
	w.completeOne(b, id, key, u)
}

// encoded draws encoding-type=url, which is necessary for keys that XML cannot represent.
func (w *world) encoded(q *request) bool {
	if strings.ContainsAny(q.key, "\x00\x01\r\uffff") || w.chance(2) {
		q.query["encoding-type"] = "url"
		return true
	}
	return false
}

// anUpload draws an upload, mostly one that exists.
func (w *world) anUpload(b *bucket) (id, key string, u *upload) {
	ids := slices.SortedFunc(maps.Keys(b.uploads), func(x, y string) int {
		return cmp.Or(b.uploads[x].initiated.Compare(b.uploads[y].initiated), cmp.Compare(b.uploads[x].key, b.uploads[y].key), cmp.Compare(x, y))
	})
	if len(ids) == 0 && !w.chance(8) {
		return w.begin(b)
	}
	if len(ids) == 0 || w.chance(15) {
		return pick(w, "0123456789ABCDEF0123456789ABCDEF", "none"), w.key(b), nil
	}
	id = ids[w.draw(len(ids))]
	if w.chance(20) {
		if key := w.key(b); key != b.uploads[id].key {
			return id, key, nil
		}
	}
	return id, b.uploads[id].key, b.uploads[id]
}

func (w *world) partData() []byte {
	if w.chance(3) {
		return w.bytes(minPart + pick(w, 0, 0, 1, 5000, -1))
	}
	return w.bytes(pick(w, 10, 0, 65, 200, 70_000))
}

func (w *world) uploadPart() {
	b := w.bucket()
	id, key, u := w.anUpload(b)
	number := 1 + pick(w, 0, 1, 2, 3, 9999)
	q := w.on(b, "PUT", key, "uploadId", id, "partNumber", strconv.Itoa(number))
	data := w.partData()
	q.body, q.chunked = data, w.chance(4)
	wrong := w.chance(12)
	if wrong {
		q.header["Content-MD5"] = contentMD5([]byte("something else"))
	}
	if w.chance(20) {
		q.query["partNumber"] = pick(w, "0", "10001", "x", "-1", "")
		w.expect(w.send(q), 400, "InvalidArgument")
		return
	}
	a := w.send(q)
	switch {
	case u == nil:
		w.expect(a, 404, "NoSuchUpload")
	case wrong:
		w.expect(a, 400, "InvalidDigest")
	default:
		w.expect(a, 200, "")
		w.digests(a, &version{data: data, etag: sum(data)})
		w.headers(a, map[string]string{"Content-Md5": contentMD5(data)})
		u.parts[number] = data
	}
}

func (w *world) uploadPartCopy() {
	b := w.bucket()
	id, key, u := w.anUpload(b)
	number := 1 + pick(w, 0, 1, 2, 3)
	q := w.on(b, "PUT", key, "uploadId", id, "partNumber", strconv.Itoa(number))
	from, src, no := w.source(q)
	if src != nil && src.kind == "Symlink" {
		return // whether the link is followed is not established
	}
	var data []byte
	if src != nil {
		data = src.data
	}
	if size := len(data); size > 0 && w.chance(2) {
		first, last := w.draw(size), size-1
		if w.chance(2) {
			last = first + w.draw(size-first+2)
		}
		q.header["x-oss-copy-source-range"] = fmt.Sprintf("bytes=%d-%d", first, last)
		if last >= size {
			no = cmp.Or(map[bool]*refusal{true: {416, "InvalidRange", nil}}[src != nil], no)
		} else {
			data = data[first : last+1]
		}
	}
	a := w.send(q)
	switch {
	case u == nil:
		w.expect(a, 404, "NoSuchUpload")
	case no != nil:
		w.refused(a, no)
	default:
		w.expect(a, 200, "")
		w.headers(a, map[string]string{"X-Oss-Copy-Source-Version-Id": from.shown(src)})
		var doc struct {
			XMLName            xml.Name `xml:"CopyPartResult"`
			LastModified, ETag string
		}
		w.decode(a, &doc)
		w.equal("part", []string{`"` + sum(data) + `"`, xmlTime(w.clock.now())}, []string{doc.ETag, doc.LastModified})
		u.parts[number] = data
	}
}

func (w *world) complete() {
	b := w.bucket()
	id, key, u := w.anUpload(b)
	w.completeOne(b, id, key, u)
}

// completeOne completes an upload, or fails to.
func (w *world) completeOne(b *bucket, id, key string, u *upload) {
	q := w.on(b, "POST", key, "uploadId", id)
	encoded := w.encoded(q)
	forbidden := w.forbid(b, q)
	var numbers []int
	if u != nil {
		numbers = slices.Sorted(maps.Keys(u.parts))
	}
	code := w.partList(q, u, &numbers)
	if code == "" {
		for i, n := range numbers {
			if i+1 < len(numbers) && len(u.parts[n]) < minPart {
				code = "EntityTooSmall"
			}
		}
	}
	a := w.send(q)
	switch {
	case u == nil:
		w.expect(a, 404, "NoSuchUpload")
		return
	case code != "":
		w.expect(a, 400, code)
		return
	case forbidden:
		w.expect(a, 409, "FileAlreadyExists")
		return
	}
	w.expect(a, 200, "")
	v := &version{attributes: u.attributes, kind: "Multipart"}
	var sums []byte
	for _, n := range numbers {
		sums = append(sums, sum(u.parts[n])...)
		v.data = append(v.data, u.parts[n]...)
	}
	h := md5.Sum(sums)
	v.etag = strings.ToUpper(hex.EncodeToString(h[:]))
	if len(numbers) > 0 {
		v.etag += "-" + strconv.Itoa(len(numbers))
	}
	w.digests(a, v)
	w.made(a, b, key, v)
	delete(b.uploads, id)
	var doc struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
	}
	w.decode(a, &doc)
	w.equal("result", []string{b.name, key, `"` + v.etag + `"`}, []string{doc.Bucket, w.name(doc.Key, encoded), doc.ETag})
	if !strings.HasSuffix(doc.Location, "/"+escape(key)) {
		w.fatalf("location %q of %q", doc.Location, key)
	}
}

// partList draws the parts of an upload to join and sets the body. It returns the error code of
// what is wrong with them.
func (w *world) partList(q *request, u *upload, numbers *[]int) (code string) {
	list := *numbers
	if w.chance(4) {
		q.header["x-oss-complete-all"] = "yes"
		if len(list) == 0 {
			return "InvalidPart"
		}
		return ""
	}
	etags := map[int]string{}
	if u != nil {
		for n, data := range u.parts {
			etags[n] = sum(data)
		}
	}
	switch {
	case len(list) == 0:
	case w.chance(8):
		n := list[w.draw(len(list))]
		etags[n], code = "00000000000000000000000000000000", "InvalidPart"
	case w.chance(8) && len(list) > 1:
		slices.Reverse(list)
		code = "InvalidPartOrder"
	case w.chance(8):
		list = append(slices.Clone(list), list[len(list)-1])
		code = "InvalidPartOrder"
	case w.chance(4) && len(list) > 1: // a part is left out
		i := w.draw(len(list))
		list = slices.Delete(slices.Clone(list), i, i+1)
	}
	switch {
	case len(list) == 0 && w.chance(2):
		list, code = []int{1}, "InvalidPart"
		etags[1] = sum(nil)
	case len(list) > 0 && w.chance(10):
		list, code = nil, "InvalidPart" // it would discard what was uploaded
	}
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for _, n := range list {
		etag := etags[n]
		if n%2 == 0 {
			etag = `"` + strings.ToLower(etag) + `"`
		}
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, etag)
	}
	b.WriteString("</CompleteMultipartUpload>")
	q.body = []byte(b.String())
	*numbers = list
	return code
}

func (w *world) abort() {
	b := w.bucket()
	id, key, u := w.anUpload(b)
	a := w.send(w.on(b, "DELETE", key, "uploadId", id))
	if u == nil {
		w.expect(a, 404, "NoSuchUpload")
		return
	}
	w.expect(a, 204, "")
	delete(b.uploads, id)
}

func (w *world) listParts() {
	b := w.bucket()
	id, key, u := w.anUpload(b)
	type part struct {
		PartNumber         int
		LastModified, ETag string
		HashCrc64ecma      uint64
		Size               int
	}
	var got, want []part
	limit, marker := 1+w.draw(3), 0
	for {
		q := w.on(b, "GET", key, "uploadId", id, "max-parts", strconv.Itoa(limit), "part-number-marker", strconv.Itoa(marker))
		encoded := w.encoded(q)
		a := w.send(q)
		if u == nil {
			w.expect(a, 404, "NoSuchUpload")
			return
		}
		w.expect(a, 200, "")
		var doc struct {
			XMLName                    xml.Name `xml:"ListPartsResult"`
			Bucket, Key, StorageClass  string
			UploadID                   string `xml:"UploadId"`
			NextPartNumberMarker       int
			PartNumberMarker, MaxParts int
			IsTruncated                bool
			Part                       []part
		}
		w.decode(a, &doc)
		w.equal("upload", []string{b.name, key, id, u.class}, []string{doc.Bucket, w.name(doc.Key, encoded), doc.UploadID, doc.StorageClass})
		w.equal("page", []int{marker, limit}, []int{doc.PartNumberMarker, doc.MaxParts})
		if len(doc.Part) > limit || doc.IsTruncated && len(doc.Part) < limit {
			w.fatalf("page of %d", len(doc.Part))
		}
		got = append(got, doc.Part...)
		if !doc.IsTruncated {
			break
		}
		marker = doc.NextPartNumberMarker
	}
	for i, n := range slices.Sorted(maps.Keys(u.parts)) {
		p := part{PartNumber: n, ETag: `"` + sum(u.parts[n]) + `"`, HashCrc64ecma: (&version{data: u.parts[n]}).crc(), Size: len(u.parts[n])}
		if i < len(got) {
			p.LastModified = got[i].LastModified
		}
		want = append(want, p)
	}
	w.equal("parts", want, got)
}
