package systemtest

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// entry is an element of any listing of objects.
type entry struct {
	XMLName                              xml.Name
	Key, LastModified, ETag, Type, Size  string
	StorageClass, VersionID, RestoreInfo string
	IsLatest                             bool
	Prefix                               string // of a common prefix
	ID                                   string `xml:"VersionId"`
	Owner                                *struct{ ID string }
}

// page is a page of any listing of objects.
type page struct {
	XMLName               xml.Name
	Name, EncodingType    string
	IsTruncated           bool
	MaxKeys               int
	KeyCount              int
	NextMarker            string
	NextContinuationToken string
	NextKeyMarker         string
	NextVersionIDMarker   string `xml:"NextVersionIdMarker"`

	Entries []entry `xml:",any"`
}

// list reads a listing in pages of one size and compares it with the model.
func (w *world) list() {
	b := w.bucket()
	kind := pick(w, "v2", "v1", "versions")
	prefix := w.prefix + pick(w, "", "", "a", "a/", "b/", "猫", "nothing", "a\x00")
	delimiter := pick(w, "", "/", "/", "b", "//")
	after := ""
	if w.chance(3) {
		after = w.prefix + pick(w, "a", "a/", "a/b", "b", "a/b/", "\uffff", "zz")
	}
	w.listing(b, kind, prefix, delimiter, after, 1+w.draw(6))
}

func (w *world) listing(b *bucket, kind, prefix, delimiter, after string, limit int) {
	w.t.Helper()
	q := w.on(b, "GET", "", "prefix", prefix, "delimiter", delimiter, "max-keys", strconv.Itoa(limit))
	marker := map[string]string{"v1": "marker", "v2": "start-after", "versions": "key-marker"}[kind]
	q.query[marker] = after
	switch kind {
	case "v2":
		q.query["list-type"] = "2"
		q.query["fetch-owner"] = pick(w, "false", "true")
	case "versions":
		q.query["versions"] = ""
	}
	encoded := strings.ContainsAny(prefix+after, "\x00\x01\r\uffff") || w.chance(2)
	for key := range b.versions {
		encoded = encoded || strings.ContainsAny(key+prefix, "\x00\x01\r\uffff")
	}
	if encoded {
		q.query["encoding-type"] = "url"
	}
	want := b.list(prefix, delimiter, after, kind == "versions")
	var got []item
	for {
		a := w.send(q)
		w.expect(a, 200, "")
		var p page
		w.decode(a, &p)
		items := w.items(&p, encoded, kind)
		if len(items) > limit || p.IsTruncated && len(items) < limit || p.MaxKeys != limit || (p.EncodingType == "url") != encoded || p.Name != b.name {
			w.fatalf("page of %d, asked for %d\n%s", len(items), limit, a.body)
		}
		if kind == "v2" && p.KeyCount != len(items) {
			w.fatalf("KeyCount %d of %d", p.KeyCount, len(items))
		}
		got = append(got, items...)
		if !p.IsTruncated {
			break
		}
		if len(got) > len(want) {
			break
		}
		switch kind {
		case "v1":
			last := items[len(items)-1]
			q.query["marker"] = w.name(p.NextMarker, encoded)
			w.equal("NextMarker", cmp.Or(last.Key, last.Prefix), q.query["marker"])
		case "v2":
			q.query["continuation-token"] = w.name(p.NextContinuationToken, encoded)
		case "versions":
			q.query["key-marker"] = w.name(p.NextKeyMarker, encoded)
			q.query["version-id-marker"] = p.NextVersionIDMarker
		}
	}
	w.equal(fmt.Sprintf("%s of %q by %q after %q", kind, prefix, delimiter, after), want, got)
}

// items returns the content of a page in order. Entries and common prefixes are separate
// elements but count as one sequence.
func (w *world) items(p *page, encoded bool, kind string) (list []item) {
	w.t.Helper()
	for i := range p.Entries {
		e := &p.Entries[i]
		it := item{Key: w.name(e.Key, encoded), Modified: e.LastModified, VersionID: e.ID, IsLatest: e.IsLatest}
		switch e.XMLName.Local {
		case "CommonPrefixes":
			it = item{Prefix: w.name(e.Prefix, encoded)}
		case "DeleteMarker":
			it.Marker = true
		case "Contents", "Version":
			it.ETag, it.Type, it.Class = e.ETag, e.Type, e.StorageClass
			it.Size, _ = strconv.ParseInt(e.Size, 10, 64)
		default:
			continue
		}
		if it.Key != "" && kind == "v1" && (e.Owner == nil || e.Owner.ID != account) {
			w.fatalf("%q has no owner", it.Key)
		}
		list = append(list, it)
	}
	inOrder := slices.IsSortedFunc(list, func(a, b item) int {
		if (a.Prefix == "") != (b.Prefix == "") {
			return 0
		}
		return cmp.Compare(a.Key+a.Prefix, b.Key+b.Prefix)
	})
	if !inOrder {
		w.fatalf("out of order: %v", list)
	}
	slices.SortStableFunc(list, func(a, b item) int { return cmp.Compare(a.Key+a.Prefix, b.Key+b.Prefix) })
	return list
}

func (w *world) listUploads() {
	b := w.bucket()
	type listed struct {
		Key, ID      string `xml:"-"`
		RawKey       string `xml:"Key"`
		UploadID     string `xml:"UploadId"`
		Initiated    string
		StorageClass string
	}
	prefix, delimiter, limit := w.prefix+pick(w, "", "", "a"), pick(w, "", "/"), 1+w.draw(3)
	var want, got []string
	for id, u := range b.uploads {
		rest, ok := strings.CutPrefix(u.key, prefix)
		i := strings.Index(rest, delimiter)
		switch {
		case !ok:
		case delimiter != "" && i >= 0:
			want = append(want, prefix+rest[:i+1]+" ...")
		default:
			want = append(want, strings.Join([]string{u.key, id, xmlTime(u.initiated), u.class}, " "))
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	q := w.on(b, "GET", "", "uploads", "", "prefix", prefix, "delimiter", delimiter, "max-uploads", strconv.Itoa(limit), "encoding-type", "url")
	for {
		a := w.send(q)
		w.expect(a, 200, "")
		var doc struct {
			XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
			Bucket             string
			IsTruncated        bool
			NextKeyMarker      string
			NextUploadIDMarker string `xml:"NextUploadIdMarker"`
			Upload             []listed
			CommonPrefixes     []struct{ Prefix string }
		}
		w.decode(a, &doc)
		n := len(doc.Upload) + len(doc.CommonPrefixes)
		if n > limit || doc.IsTruncated && n < limit {
			w.fatalf("page of %d, asked for %d\n%s", n, limit, a.body)
		}
		if !slices.IsSortedFunc(doc.Upload, func(a, b listed) int {
			return cmp.Or(cmp.Compare(w.name(a.RawKey, true), w.name(b.RawKey, true)), cmp.Compare(a.UploadID, b.UploadID))
		}) {
			w.fatalf("out of order\n%s", a.body)
		}
		for _, u := range doc.Upload {
			got = append(got, strings.Join([]string{w.name(u.RawKey, true), u.UploadID, u.Initiated, u.StorageClass}, " "))
		}
		for _, p := range doc.CommonPrefixes {
			got = append(got, w.name(p.Prefix, true)+" ...")
		}
		if !doc.IsTruncated || len(got) > len(want) {
			break
		}
		q.query["key-marker"], q.query["upload-id-marker"] = w.name(doc.NextKeyMarker, true), doc.NextUploadIDMarker
	}
	slices.Sort(got)
	w.equal("uploads", want, got)
}

func (w *world) versioning() {
	b := w.bucket()
	q := w.on(b, "PUT", "", "versioning", "")
	status := pick(w, "Enabled", "Suspended", "On")
	q.body = []byte("<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>")
	a := w.send(q)
	if status == "On" {
		w.expect(a, 400, "MalformedXML")
	} else {
		w.expect(a, 200, "")
		b.versioning = status
	}
	a = w.send(w.on(b, "GET", "", "versioning", ""))
	w.expect(a, 200, "")
	var doc struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Status  string
	}
	w.decode(a, &doc)
	w.equal("versioning", b.versioning, doc.Status)
}

func (w *world) bucketACL() {
	b := w.bucket()
	q := w.on(b, pick(w, "PUT", "GET"), "", "acl", "")
	acl := pick(w, "private", "public-read", "public-read-write", "")
	if q.method == "PUT" && acl != "" {
		q.header["x-oss-acl"] = acl
	}
	a := w.send(q)
	switch {
	case q.method == "GET":
		w.expect(a, 200, "")
		w.equal("ACL", b.acl, w.grant(a))
	case acl == "":
		w.expect(a, 400, "InvalidArgument")
	case b.blocked && acl != "private":
		w.expect(a, 403, "AccessDenied")
	default:
		w.expect(a, 200, "")
		b.acl = acl
	}
}

func (w *world) publicAccess() {
	b := w.bucket()
	q := w.on(b, "PUT", "", "publicAccessBlock", "")
	block := pick(w, "false", "true")
	q.body = []byte("<PublicAccessBlockConfiguration><BlockPublicAccess>" + block + "</BlockPublicAccess></PublicAccessBlockConfiguration>")
	w.expect(w.send(q), 200, "")
	b.blocked = block == "true"
}

func (w *world) bucketEncryption() {
	b := w.bucket()
	q := w.on(b, pick(w, "PUT", "DELETE"), "", "encryption", "")
	algorithm := pick(w, "AES256", "KMS", "ROT13")
	sm4 := algorithm == "KMS" && w.chance(3)
	if q.method == "DELETE" {
		w.expect(w.send(q), 204, "")
		b.sse, b.sm4 = "", false
	} else {
		q.body = []byte("<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + algorithm +
			"</SSEAlgorithm>" + map[bool]string{true: "<KMSDataEncryption>SM4</KMSDataEncryption>"}[sm4] + "</ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>")
		a := w.send(q)
		if algorithm == "ROT13" {
			w.expect(a, 400, "InvalidEncryptionAlgorithmError")
		} else {
			w.expect(a, 200, "")
			b.sse, b.sm4 = algorithm, sm4
		}
	}
	a := w.send(w.on(b, "GET", "", "encryption", ""))
	if b.sse == "" {
		w.expect(a, 404, "NoSuchServerSideEncryptionRule")
		return
	}
	w.expect(a, 200, "")
	if !strings.Contains(string(a.body), "<SSEAlgorithm>"+b.sse+"<") || strings.Contains(string(a.body), "SM4") != b.sm4 {
		w.fatalf("%s", a.body)
	}
}

// stat compares the statistics and the properties of a bucket with the model.
func (w *world) stat() {
	b := w.bucket()
	a := w.send(w.on(b, "GET", "", "stat", ""))
	w.expect(a, 200, "")
	type numbers struct {
		Storage, ObjectCount, MultipartUploadCount, StandardStorage, StandardObjectCount int
		InfrequentAccessObjectCount, ArchiveObjectCount, DeleteMarkerCount               int
	}
	var got struct {
		XMLName xml.Name `xml:"BucketStat"`
		numbers
	}
	w.decode(a, &got)
	want := numbers{MultipartUploadCount: len(b.uploads)}
	for _, list := range b.versions {
		for _, v := range list {
			if v.marker {
				want.DeleteMarkerCount++
				continue
			}
			want.ObjectCount++
			want.Storage += len(v.data)
			switch v.class {
			case "Standard":
				want.StandardObjectCount++
				want.StandardStorage += len(v.data)
			case "IA":
				want.InfrequentAccessObjectCount++
			case "Archive":
				want.ArchiveObjectCount++
			}
		}
	}
	w.equal("statistics", want, got.numbers)

	a = w.send(w.on(b, "GET", "", "bucketInfo", ""))
	w.expect(a, 200, "")
	var info struct {
		XMLName xml.Name `xml:"BucketInfo"`
		Bucket  struct {
			Name, Versioning string
			Grant            string `xml:"AccessControlList>Grant"`
			Algorithm        string `xml:"ServerSideEncryptionRule>SSEAlgorithm"`
			Data             string `xml:"ServerSideEncryptionRule>KMSDataEncryption"`
		}
	}
	w.decode(a, &info)
	w.equal("bucket", []string{b.name, b.versioning, b.acl, cmp.Or(b.sse, "None"), map[bool]string{true: "SM4"}[b.sm4]},
		[]string{info.Bucket.Name, info.Bucket.Versioning, info.Bucket.Grant, info.Bucket.Algorithm, info.Bucket.Data})
}

// remake deletes a bucket and, if it was empty, makes it again.
func (w *world) remake() {
	b := w.bucket()
	a := w.send(w.on(b, "DELETE", ""))
	if len(b.versions) > 0 || len(b.uploads) > 0 {
		w.expect(a, 409, "BucketNotEmpty")
		return
	}
	w.expect(a, 204, "")
	w.expect(w.send(w.on(b, "GET", "a")), 404, "NoSuchBucket")
	q := w.on(b, "PUT", "")
	acl := pick(w, "", "public-read")
	if acl != "" {
		q.header["x-oss-acl"] = acl
	}
	w.expect(w.send(q), 200, "")
	*b = *newBucket(b.name, cmp.Or(acl, "private"))
}

// makeBucket adds a bucket to the world.
func (w *world) makeBucket(name string) *bucket {
	b := newBucket(name, "private")
	w.expect(w.send(w.on(b, "PUT", "")), 200, "")
	w.buckets = append(w.buckets, b)
	return b
}

// empty removes the content of a bucket, one object at a time, and the bucket.
func (w *world) empty(b *bucket) {
	for _, key := range sortedKeys(b) {
		for _, v := range slices.Clone(b.versions[key]) {
			w.expect(w.send(w.on(b, "DELETE", key).version(v.id)), 204, "")
			b.drop(key, v)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.uploads)) {
		w.expect(w.send(w.on(b, "DELETE", b.uploads[id].key, "uploadId", id)), 204, "")
	}
	w.expect(w.send(w.on(b, "DELETE", "")), 204, "")
}
