package ossapi_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/signature"
)

// keys are names that some software handles wrongly.
var keys = []string{
	"-", "..", "a", "a b+%25", "a\r\n\tb", "a&<>\"'", "a/", "a//b", "a/../b", "a/b", "aA", "\x01\v\x1f", "{[|]}", "猫/", "\u202e", "｡", "😀", strings.Repeat("k", 1023),
}

func TestObjectsWithSDK(t *testing.T) {
	for _, version := range []oss.SignatureVersionType{oss.SignatureVersionV1, oss.SignatureVersionV4} {
		w := newWorld(t)
		c := w.client(func(cfg *oss.Config) { cfg.WithSignatureVersion(version) })
		ctx := t.Context()
		bucket := oss.Ptr("photos")
		_, err := c.PutBucket(ctx, &oss.PutBucketRequest{Bucket: bucket})
		check(t, err)
		for _, key := range keys {
			put, err := c.PutObject(ctx, &oss.PutObjectRequest{
				Bucket: bucket, Key: &key, Body: strings.NewReader("hello world"), Metadata: map[string]string{"author": "猫 alice"},
				Tagging: oss.Ptr("a=1&b=%2B"),
			})
			check(t, err)
			if oss.ToString(put.HashCRC64) != "5981764153023615706" || put.VersionId != nil {
				t.Errorf("%q: %+v", key, put)
			}
			head, err := c.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: bucket, Key: &key})
			check(t, err)
			if head.Metadata["author"] != "猫 alice" || head.ContentLength != 11 || head.TaggingCount != 2 || oss.ToString(head.ObjectType) != "Normal" {
				t.Errorf("%q: %+v", key, head)
			}
		}
		want := slices.Sorted(slices.Values(keys))
		for size := int32(1); size < 20; size += 3 {
			if got := pageThrough(t, c, size); !slices.Equal(got, want) {
				t.Errorf("pages of %d:\n%q\nwant\n%q", size, got, want)
			}
			var v1 []string
			for p := c.NewListObjectsPaginator(&oss.ListObjectsRequest{Bucket: bucket, MaxKeys: size}); p.HasNext(); {
				page, err := p.NextPage(ctx)
				check(t, err)
				for _, o := range page.Contents {
					v1 = append(v1, oss.ToString(o.Key))
				}
			}
			if !slices.Equal(v1, want) {
				t.Errorf("version 1, pages of %d:\n%q\nwant\n%q", size, v1, want)
			}
		}
		var objects []oss.DeleteObject
		for _, key := range keys {
			objects = append(objects, oss.DeleteObject{Key: &key})
		}
		res, err := c.DeleteMultipleObjects(ctx, &oss.DeleteMultipleObjectsRequest{Bucket: bucket, Objects: objects})
		check(t, err)
		var deleted []string
		for _, d := range res.DeletedObjects {
			deleted = append(deleted, oss.ToString(d.Key))
		}
		if !slices.Equal(deleted, keys) {
			t.Errorf("deleted %q", deleted)
		}
		if got := pageThrough(t, c, 100); len(got) != 0 {
			t.Errorf("left: %q", got)
		}
	}
}

func pageThrough(t *testing.T, c *oss.Client, size int32) (got []string) {
	t.Helper()
	for p := c.NewListObjectsV2Paginator(&oss.ListObjectsV2Request{Bucket: oss.Ptr("photos"), MaxKeys: size}); p.HasNext(); {
		page, err := p.NextPage(t.Context())
		check(t, err)
		for _, o := range page.Contents {
			got = append(got, oss.ToString(o.Key))
		}
	}
	return got
}

// A listing is a listing as a client parses it.
type listing struct {
	Prefix, Marker, NextMarker, StartAfter, Delimiter, EncodingType string
	ContinuationToken, NextContinuationToken                        string
	KeyMarker, VersionIDMarker, NextKeyMarker, NextVersionIDMarker  *string
	MaxKeys, KeyCount                                               int
	IsTruncated                                                     bool
	Contents                                                        []struct {
		Key, ETag, Type, StorageClass, LastModified string
		Owner                                       struct{ ID string }
	}
	CommonPrefixes []struct{ Prefix string }
}

func (w *world) list(t *testing.T, query string) (l listing) {
	t.Helper()
	m := w.must(t, w.do(t, "GET", "/photos/?"+query, "", nil), 200)
	check(t, xml.Unmarshal([]byte(m.body), &l))
	return l
}

func TestListings(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	for _, key := range []string{"a b/1", "a b/2", "a+b", "c/1/x", "c/2", "d&e"} {
		w.must(t, w.do(t, "PUT", "/photos/"+strings.ReplaceAll(url.PathEscape(key), "+", "%2B"), key, nil), 200)
	}
	l := w.list(t, "list-type=2&delimiter=%2F")
	if l.MaxKeys != 100 || l.KeyCount != 4 || len(l.Contents) != 2 || l.Contents[0].Key != "a+b" || l.Contents[1].Key != "d&e" ||
		len(l.CommonPrefixes) != 2 || l.CommonPrefixes[0].Prefix != "a b/" || l.Contents[0].Owner.ID != "" || l.EncodingType != "" {
		t.Errorf("%+v", l)
	}
	if o := l.Contents[0]; !strings.HasPrefix(o.ETag, `"`) || len(o.ETag) != 34 || o.Type != "Normal" || o.StorageClass != "Standard" || !strings.HasSuffix(o.LastModified, "Z") {
		t.Errorf("%+v", o)
	}
	l = w.list(t, "list-type=2&encoding-type=url&prefix=a+b%2F&start-after=a+b%2F1&fetch-owner=true")
	if l.Prefix != "a%20b/" || l.StartAfter != "a%20b/1" || l.EncodingType != "url" || len(l.Contents) != 1 || l.Contents[0].Key != "a%20b/2" || l.Contents[0].Owner.ID != account {
		t.Errorf("%+v", l)
	}
	l = w.list(t, "encoding-type=url&max-keys=2&delimiter=%2F")
	if !l.IsTruncated || l.NextMarker != "a%2Bb" || l.Contents[0].Owner.ID != account || l.CommonPrefixes[0].Prefix != "a%20b/" {
		t.Errorf("%+v", l)
	}
	l = w.list(t, "max-keys=1&delimiter=%2F")
	if !l.IsTruncated || l.NextMarker != "a b/" || len(l.Contents) != 0 {
		t.Errorf("%+v", l)
	}
	l = w.list(t, "max-keys=1&delimiter=%2F&marker=a+b%2F")
	if l.Marker != "a b/" || len(l.Contents) != 1 || l.Contents[0].Key != "a+b" {
		t.Errorf("%+v", l)
	}
	l = w.list(t, "list-type=2&max-keys=4")
	next := w.list(t, "list-type=2&max-keys=4&start-after=zzz&continuation-token="+l.NextContinuationToken)
	if !l.IsTruncated || l.NextContinuationToken == "" || next.ContinuationToken != l.NextContinuationToken || len(next.Contents) != 2 || next.IsTruncated || next.NextContinuationToken != "" {
		t.Errorf("%+v\n%+v", l, next)
	}
	for _, query := range []string{
		"max-keys=0", "max-keys=1001", "max-keys=-1", "max-keys=x", "max-keys=99999999999999999999", "encoding-type=base64", "list-type=3", "list-type=",
		"list-type=2&continuation-token=%21", "list-type=2&continuation-token=" + strings.Repeat("A", 1500), "versions&version-id-marker=x", "versions&max-keys=0", "marker=" + strings.Repeat("m", 1025),
	} {
		if p := w.refused(t, w.do(t, "GET", "/photos/?"+query, "", nil), 400, "InvalidArgument"); p.ArgumentName == "" {
			t.Errorf("%s: %+v", query, p)
		}
	}
	p := w.refused(t, w.do(t, "GET", "/nowhere/?list-type=2&max-keys=0", "", nil), 404, "NoSuchBucket")
	if p.EC != "0015-00000101" || p.BucketName != "nowhere" {
		t.Errorf("%+v", p)
	}
}

func TestGetObject(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "0123456789", map[string]string{
		"Content-Type": "image/cat", "Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "x", "Content-Language": "zh",
		"Expires": "never", "X-Oss-Meta-A": "b", "X-Oss-Storage-Class": "IA",
	}), 200)
	m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200)
	for name, want := range map[string]string{
		"Content-Type": "image/cat", "Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "x", "Content-Language": "zh",
		"Expires": "never", "X-Oss-Meta-A": "b", "X-Oss-Storage-Class": "IA", "X-Oss-Object-Type": "Normal", "Accept-Ranges": "bytes",
		"Content-Length": "10", "X-Oss-Hash-Crc64ecma": "10979297857494888253", "Content-Md5": md5Header("0123456789"), "X-Oss-Version-Id": "", "X-Oss-Tagging-Count": "",
	} {
		if got := m.header.Get(name); got != want && name != "X-Oss-Hash-Crc64ecma" || want != "" && got == "" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	etag, modified := m.header.Get("Etag"), m.header.Get("Last-Modified")

	// ranges
	standard := func(r string) map[string]string {
		return map[string]string{"Range": r, "X-Oss-Range-Behavior": "standard"}
	}
	for _, tt := range []struct {
		header map[string]string
		status int
		body   string
		want   string
	}{
		{map[string]string{"Range": "bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{map[string]string{"Range": "bytes=-1"}, 206, "9", "bytes 9-9/10"},
		{map[string]string{"Range": "bytes=8-20"}, 200, "0123456789", ""},
		{map[string]string{"Range": "bytes=20-"}, 200, "0123456789", ""},
		{standard("bytes=8-20"), 206, "89", "bytes 8-9/10"},
		{map[string]string{"Range": "bytes=2-4", "If-Range": etag}, 206, "234", "bytes 2-4/10"},
		{map[string]string{"Range": "bytes=2-4", "If-Range": strings.Trim(etag, `"`)}, 206, "234", "bytes 2-4/10"},
		{map[string]string{"Range": "bytes=2-4", "If-Range": modified}, 206, "234", "bytes 2-4/10"},
		{map[string]string{"Range": "bytes=2-4", "If-Range": `"x"`}, 200, "0123456789", ""},
		{map[string]string{"Range": "bytes=2-4", "If-Range": "W/" + etag}, 200, "0123456789", ""},
		{map[string]string{"Range": "bytes=2-4", "If-Range": "Mon, 05 Jan 2015 16:00:00 GMT"}, 200, "0123456789", ""},
		{map[string]string{"Range": "bytes=2-4", "If-Range": "Mon, 05 Jan 2099 16:00:00 GMT"}, 200, "0123456789", ""},
		{map[string]string{"Range": "bytes=10-", "If-Range": `"x"`, "X-Oss-Range-Behavior": "standard"}, 200, "0123456789", ""},
	} {
		m := w.must(t, w.do(t, "GET", "/photos/cat", "", tt.header), tt.status)
		if m.body != tt.body || m.header.Get("Content-Range") != tt.want || m.header.Get("Content-Length") != fmt.Sprint(len(tt.body)) {
			t.Errorf("%v: %q %v", tt.header, m.body, m.header)
		}
	}
	w.refused(t, w.do(t, "GET", "/photos/cat", "", standard("bytes=10-")), 416, "InvalidRange")

	// conditions
	for header, status := range map[[2]string]int{
		{"If-Match", etag}: 200, {"If-Match", `"x"`}: 412, {"If-None-Match", etag}: 304, {"If-None-Match", `"x"`}: 200,
		{"If-Modified-Since", modified}: 304, {"If-Unmodified-Since", modified}: 200, {"If-Unmodified-Since", "Mon, 05 Jan 2015 16:00:00 GMT"}: 412,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			m := w.do(t, method, "/photos/cat", "", map[string]string{header[0]: header[1]})
			if m.status != status {
				t.Errorf("%s, %v: %d, want %d", method, header, m.status, status)
			}
			if m.status == 304 && (m.body != "" || m.header.Get("Etag") != etag || m.header.Get("Content-Length") != "") {
				t.Errorf("%+v", m)
			}
		}
	}
	w.refused(t, w.do(t, "GET", "/photos/cat", "", map[string]string{"If-Match": "x"}), 412, "PreconditionFailed")

	// overridden headers
	m = w.must(t, w.do(t, "GET", "/photos/cat?response-content-type=text%2Fx&response-cache-control=c&response-content-disposition=d&response-content-encoding=e&response-content-language=l&response-expires=x", "", nil), 200)
	for name, want := range map[string]string{"Content-Type": "text/x", "Cache-Control": "c", "Content-Disposition": "d", "Content-Encoding": "e", "Content-Language": "l", "Expires": "x"} {
		if got := m.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	w.refused(t, w.do(t, "GET", "/photos/cat?response-content-type=a%0D%0AX-Evil:%20b", "", nil), 400, "InvalidArgument")
	w.must(t, w.do(t, "DELETE", "/photos/?publicAccessBlock", "", nil), 204)
	w.must(t, w.do(t, "PUT", "/photos/?acl", "", map[string]string{"X-Oss-Acl": "public-read"}), 200)
	w.must(t, w.anonymous(t, "GET", "/photos/cat", ""), 200)
	w.refused(t, w.anonymous(t, "GET", "/photos/cat?response-content-type=text%2Fhtml", ""), 400, "InvalidRequest")
	w.refused(t, w.anonymous(t, "PUT", "/photos/cat", "woof"), 403, "AccessDenied")
	w.refused(t, w.anonymous(t, "DELETE", "/photos/cat", ""), 403, "AccessDenied")
	w.must(t, w.do(t, "PUT", "/photos/secret", "x", map[string]string{"X-Oss-Object-Acl": "private"}), 200)
	w.refused(t, w.anonymous(t, "GET", "/photos/secret", ""), 403, "AccessDenied")
	w.refused(t, w.anonymous(t, "GET", "/photos/missing", ""), 404, "NoSuchKey")

	m = w.must(t, w.do(t, "HEAD", "/photos/cat?objectMeta", "", nil), 200)
	if m.header.Get("Content-Length") != "10" || m.header.Get("Etag") != etag || m.header.Get("X-Oss-Meta-A") != "" {
		t.Errorf("%v", m.header)
	}
	p := w.refused(t, w.do(t, "GET", "/photos/dog", "", nil), 404, "NoSuchKey")
	if p.EC != "0026-00000001" || p.Key != "dog" || p.BucketName != "photos" {
		t.Errorf("%+v", p)
	}
}

func TestPutObject(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	for _, header := range [][2]string{
		{"X-Oss-Storage-Class", "standard"},
		{"X-Oss-Object-Acl", "everybody"},
		{"X-Oss-Tagging", "a=1&a=2"},
		{"X-Oss-Tagging", "a=%zz"},
		{"X-Oss-Tagging", strings.Repeat("a=1&", 11)},
		{"X-Oss-Forbid-Overwrite", "perhaps"},
		{"X-Oss-Meta-A", strings.Repeat("a", 8<<10)},
		{"Content-Type", strings.Repeat("a", 1025)},
		{"X-Oss-Server-Side-Encryption-Key-Id", "k"},
	} {
		if p := w.refused(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{header[0]: header[1]}), 400, "InvalidArgument"); p.ArgumentName == "" {
			t.Errorf("%+v", p)
		}
	}
	w.refused(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Server-Side-Encryption": "ROT13"}), 400, "InvalidEncryptionAlgorithmError")
	w.refused(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Object-Acl": "public-read"}), 403, "AccessDenied")
	w.refused(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Callback": "e30="}), 501, "NotImplemented")
	w.refused(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Server-Side-Encryption": "KMS"}), 400, "KmsKeyNotFound") // this store has no keys
	w.gone(t, "/photos/cat")

	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Forbid-Overwrite": "true"}), 200)
	w.refused(t, w.do(t, "PUT", "/photos/cat", "woof", map[string]string{"X-Oss-Forbid-Overwrite": "TRUE"}), 409, "FileAlreadyExists")
	if m := w.do(t, "GET", "/photos/cat", "", nil); m.body != "meow" || m.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%+v", m)
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	put := func(body string) string {
		t.Helper()
		return w.must(t, w.do(t, "PUT", "/photos/cat", body, nil), 200).header.Get("X-Oss-Version-Id")
	}
	if id := put("null"); id != "" {
		t.Errorf("version %q in a bucket without versions", id)
	}
	w.must(t, w.do(t, "PUT", "/photos/?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", nil), 200)
	first, second := put("first"), put("second")
	if first == "" || first == second {
		t.Fatalf("%q %q", first, second)
	}
	for id, body := range map[string]string{"null": "null", first: "first", second: "second"} {
		m := w.must(t, w.do(t, "GET", "/photos/cat?versionId="+url.QueryEscape(id), "", nil), 200)
		if m.body != body || m.header.Get("X-Oss-Version-Id") != id {
			t.Errorf("%q: %+v", id, m)
		}
	}
	m := w.must(t, w.do(t, "DELETE", "/photos/cat", "", nil), 204)
	marker := m.header.Get("X-Oss-Version-Id")
	if m.header.Get("X-Oss-Delete-Marker") != "true" || marker == "" {
		t.Fatalf("%v", m.header)
	}
	m = w.do(t, "GET", "/photos/cat", "", nil)
	w.refused(t, m, 404, "NoSuchKey")
	if m.header.Get("X-Oss-Delete-Marker") != "true" || m.header.Get("X-Oss-Version-Id") != marker {
		t.Errorf("%v", m.header)
	}
	m = w.do(t, "GET", "/photos/cat?versionId="+url.QueryEscape(marker), "", nil)
	w.refused(t, m, 405, "MethodNotAllowed")
	if m.header.Get("X-Oss-Delete-Marker") != "true" {
		t.Errorf("%v", m.header)
	}
	w.refused(t, w.do(t, "GET", "/photos/cat?versionId=CAEQnope", "", nil), 404, "NoSuchVersion")
	for _, id := range []string{"", "a%20b", strings.Repeat("v", 1025)} {
		w.refused(t, w.do(t, "GET", "/photos/cat?versionId="+id, "", nil), 400, "InvalidArgument")
		w.refused(t, w.do(t, "DELETE", "/photos/cat?versionId="+id, "", nil), 400, "InvalidArgument")
	}

	c := w.client()
	for _, size := range []int32{1, 2, 3, 100} {
		var ids []string
		for p := c.NewListObjectVersionsPaginator(&oss.ListObjectVersionsRequest{Bucket: oss.Ptr("photos"), MaxKeys: size, IsMix: true}); p.HasNext(); {
			page, err := p.NextPage(t.Context())
			check(t, err)
			for _, v := range page.ObjectVersionsDeleteMarkers {
				ids = append(ids, oss.ToString(v.VersionId))
				if v.IsLatest != (oss.ToString(v.VersionId) == marker) {
					t.Errorf("%s is the latest: %v", oss.ToString(v.VersionId), v.IsLatest)
				}
			}
		}
		if want := []string{marker, second, first, "null"}; !slices.Equal(ids, want) {
			t.Errorf("pages of %d: %q, want %q", size, ids, want)
		}
	}

	// Delete everything, like the SDK's tests.
	doc := "<Delete><Quiet>false</Quiet>"
	for _, id := range []string{marker, second, first} {
		doc += "<Object><Key>cat</Key><VersionId>" + id + "</VersionId></Object>"
	}
	m = w.must(t, w.do(t, "POST", "/photos/?delete", doc+"<Object><Key>dog</Key></Object></Delete>", nil), 200)
	var res struct {
		Deleted []struct {
			Key, VersionID, DeleteMarkerVersionID string
			DeleteMarker                          bool
		}
	}
	check(t, xml.Unmarshal([]byte(strings.ReplaceAll(m.body, "VersionId>", "VersionID>")), &res))
	if d := res.Deleted; len(d) != 4 || !d[0].DeleteMarker || d[0].DeleteMarkerVersionID != marker || d[1].DeleteMarker || d[1].VersionID != second ||
		!d[3].DeleteMarker || d[3].VersionID != "" || d[3].DeleteMarkerVersionID == "" {
		t.Errorf("%s", m.body)
	}
	if m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200); m.body != "null" {
		t.Errorf("%q", m.body)
	}
}

// A name that XML 1.0 cannot represent is listed as a reference. A client that
// sends the listed text back reaches the right object.
func TestControlCharactersInNames(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	names := []string{"a\x00", "a\x01", "a\x02", "a\x1f", "a\uffff", "a\ufffd"}
	for _, name := range names {
		w.must(t, w.do(t, "PUT", "/photos/"+url.PathEscape(name), name, nil), 200)
	}
	keys := func(path string) (listed []string) {
		m := w.must(t, w.do(t, "GET", path, "", nil), 200)
		for _, part := range strings.Split(m.body, "<Key>")[1:] {
			raw, _, _ := strings.Cut(part, "</Key>")
			listed = append(listed, raw)
		}
		return listed
	}
	for _, list := range []string{"/photos/", "/photos/?list-type=2", "/photos/?versions"} {
		if got, want := keys(list), []string{"a&#0;", "a&#1;", "a&#2;", "a&#31;", "a\ufffd", "a&#65535;"}; !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", list, got, want)
		}
	}
	for _, raw := range keys("/photos/")[:2] {
		m := w.must(t, w.do(t, "POST", "/photos/?delete", "<Delete><Object><Key>"+raw+"</Key></Object></Delete>", nil), 200)
		if !strings.Contains(m.body, "<Key>"+raw+"</Key>") {
			t.Errorf("the deletion of %s is answered %s", raw, m.body)
		}
	}
	for i, name := range names {
		status := 200
		if i < 2 {
			status = 404
		}
		w.must(t, w.do(t, "GET", "/photos/"+url.PathEscape(name), "", nil), status)
	}
	// A marker of such a page continues the listing without loss.
	m := w.must(t, w.do(t, "GET", "/photos/?max-keys=1", "", nil), 200)
	if !strings.Contains(m.body, "<NextMarker>a&#2;</NextMarker>") {
		t.Errorf("%s", m.body)
	}
}

func TestTimesAreWholeSeconds(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	head := w.must(t, w.do(t, "HEAD", "/photos/cat", "", nil), 200)
	modified, err := http.ParseTime(head.header.Get("Last-Modified"))
	check(t, err)
	want := "<LastModified>" + modified.Format("2006-01-02T15:04:05") + ".000Z</LastModified>"
	for _, path := range []string{"/photos/", "/photos/?list-type=2", "/photos/?versions"} {
		if m := w.must(t, w.do(t, "GET", path, "", nil), 200); !strings.Contains(m.body, want) {
			t.Errorf("%s: %s; want %s", path, m.body, want)
		}
	}
	m := w.must(t, w.do(t, "PUT", "/photos/copy", "", map[string]string{"x-oss-copy-source": "/photos/cat"}), 200)
	if !strings.Contains(m.body, ".000Z</LastModified>") {
		t.Errorf("a copy answers %s", m.body)
	}
}

func TestDeleteMultipleObjects(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	many := func(n int) string {
		var b strings.Builder
		b.WriteString("<Delete>")
		for i := range n {
			fmt.Fprintf(&b, "<Object><Key>k%d</Key></Object>", i)
		}
		return b.String() + "</Delete>"
	}
	cat := "<Object><Key>cat</Key></Object>"
	for _, doc := range []string{"<Delete/>", "<Delete>" + cat + "<Object/></Delete>", "<Delete>" + cat + "<Object><Key></Key></Object></Delete>", strings.Replace(many(1000), "</Delete>", cat+"</Delete>", 1)} {
		w.refused(t, w.do(t, "POST", "/photos/?delete", doc, nil), 400, "MalformedXML")
	}
	illegal := w.do(t, "POST", "/photos/?delete", "<Delete>"+cat+"<Object><Key>/x</Key></Object></Delete>", nil)
	if p := w.refused(t, illegal, 400, "InvalidObjectName"); !strings.Contains(p.Message, `"/x"`) || !strings.Contains(illegal.body, "<Key>/x</Key>") {
		t.Errorf("the illegal key is not named: %s", illegal.body)
	}
	w.refused(t, w.do(t, "POST", "/photos/?delete", "<Delete>"+cat+"<Object><Key>x</Key><VersionId>a b</VersionId></Object></Delete>", nil), 400, "InvalidArgument")
	w.refused(t, w.do(t, "POST", "/photos/?delete", "<Delete>"+cat+"</Delete>", map[string]string{"Content-MD5": md5Header("x")}), 400, "InvalidDigest")
	w.refused(t, w.other(t, "POST", "/photos/?delete", "<Delete>"+cat+"</Delete>", nil), 403, "AccessDenied")
	w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200)

	if m := w.must(t, w.do(t, "POST", "/photos/?delete", many(1000), nil), 200); strings.Count(m.body, "<Key>") != 1000 {
		t.Errorf("%d keys", strings.Count(m.body, "<Key>"))
	}
	m := w.must(t, w.do(t, "POST", "/photos/?delete&encoding-type=url", "<Delete><Quiet>true</Quiet>"+cat+"</Delete>", nil), 200)
	if strings.Contains(m.body, "Deleted>") {
		t.Error(m.body)
	}
	w.gone(t, "/photos/cat")
}

// TestPresigned uses signed URLs, in both versions, in time and too late.
func TestPresigned(t *testing.T) {
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	w := newWorld(t, func(c *ossapi.Config) { c.Now = func() time.Time { return now } })
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	cred := signature.Credentials{ID: keyID, Secret: secret}
	for _, scheme := range []signature.Scheme{signature.V1, signature.V4} {
		now = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
		r := w.request(t, "GET", "/photos/cat?response-content-type=text%2Fx", "", nil)
		check(t, signature.Presign(r, signature.Target{Bucket: "photos", Key: "cat"}, cred, region, scheme, now, time.Hour))
		r.Header = http.Header{}
		if m := w.must(t, w.send(t, r.Clone(t.Context())), 200); m.body != "meow" || m.header.Get("Content-Type") != "text/x" {
			t.Errorf("%v: %+v", scheme, m)
		}
		other := r.Clone(t.Context())
		other.Method = "DELETE"
		w.refused(t, w.send(t, other), 403, "SignatureDoesNotMatch")
		now = now.Add(2 * time.Hour)
		m := w.send(t, r)
		if p := w.refused(t, m, 403, "AccessDenied"); p.Message != "Request has expired." {
			t.Errorf("%+v", p)
		}
		if scheme == signature.V4 {
			r := w.request(t, "GET", "/photos/cat", "", map[string]string{"Email": "a@b"})
			check(t, signature.Presign(r, signature.Target{Bucket: "photos", Key: "cat"}, cred, region, scheme, now, time.Hour, "email"))
			w.must(t, w.send(t, r.Clone(t.Context())), 200)
			r.Header.Set("Email", "c@d")
			w.refused(t, w.send(t, r.Clone(t.Context())), 403, "SignatureDoesNotMatch")
			r.Header.Del("Email")
			w.refused(t, w.send(t, r), 400, "InvalidArgument")
		}
		if m.header.Get("Date") != now.Format(http.TimeFormat) {
			t.Errorf("the server's time is %s", m.header.Get("Date"))
		}
	}
}
