package ossapi_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/ossapi"
)

func TestCopyObject(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.bucket(t, "backup")
	w.must(t, w.do(t, "PUT", "/photos/a%20%2B%3F", "meow", map[string]string{
		"Content-Type": "image/cat", "X-Oss-Meta-A": "1", "X-Oss-Tagging": "t=1", "X-Oss-Storage-Class": "IA",
	}), 200)
	from := map[string]string{"X-Oss-Copy-Source": "/photos/a%20%2B%3F"}
	with := func(more ...string) map[string]string {
		m := map[string]string{"X-Oss-Copy-Source": from["X-Oss-Copy-Source"]}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	head := func(path string) message { return w.must(t, w.do(t, "GET", path, "", nil), 200) }

	m := w.must(t, w.do(t, "PUT", "/backup/cat", "", from), 200)
	if !strings.Contains(m.body, "<ETag>&quot;4A4BE40C96AC6314E91D93F38043A634&quot;</ETag>") || m.header.Get("X-Oss-Hash-Crc64ecma") == "" {
		t.Errorf("%+v", m)
	}
	if m := head("/backup/cat"); m.body != "meow" || m.header.Get("Content-Type") != "image/cat" || m.header.Get("X-Oss-Meta-A") != "1" || m.header.Get("X-Oss-Tagging-Count") != "1" {
		t.Errorf("%+v", m)
	}
	w.must(t, w.do(t, "PUT", "/backup/cat", "", with("X-Oss-Metadata-Directive", "REPLACE", "X-Oss-Tagging-Directive", "replace", "X-Oss-Meta-B", "2", "X-Oss-Tagging", "u=1&v=2")), 200)
	if m := head("/backup/cat"); m.header.Get("Content-Type") != "image/cat" || m.header.Get("X-Oss-Meta-A") != "" || m.header.Get("X-Oss-Meta-B") != "2" || m.header.Get("X-Oss-Tagging-Count") != "2" {
		t.Errorf("%+v", m)
	}
	// Onto itself, metadata is replaced, whatever the directive.
	w.must(t, w.do(t, "PUT", "/photos/a%20%2B%3F", "", with("X-Oss-Meta-C", "3")), 200)
	if m := head("/photos/a%20%2B%3F"); m.body != "meow" || m.header.Get("X-Oss-Meta-A") != "" || m.header.Get("X-Oss-Meta-C") != "3" {
		t.Errorf("%+v", m)
	}
	// The source encoded as a whole, or without its slash.
	for _, source := range []string{"photos/a%20%2B%3F", "%2Fphotos%2Fa%20%2B%3F"} {
		m := w.do(t, "PUT", "/backup/other", "", map[string]string{"X-Oss-Copy-Source": source})
		if source[0] == 'p' && m.status != 200 || source[0] == '%' && m.status != 400 {
			t.Errorf("%s: %d %s", source, m.status, m.body)
		}
	}

	etag := `"4A4BE40C96AC6314E91D93F38043A634"`
	for header, status := range map[[2]string]int{
		{"If-Match", etag}: 200, {"If-Match", "x"}: 412, {"If-None-Match", etag}: 304, {"If-None-Match", "x"}: 200,
		{"If-Modified-Since", "Mon, 05 Jan 2026 16:00:00 GMT"}: 200, {"If-Unmodified-Since", "Mon, 05 Jan 2015 16:00:00 GMT"}: 412,
	} {
		if m := w.do(t, "PUT", "/backup/conditional", "", with("X-Oss-Copy-Source-"+header[0], header[1])); m.status != status {
			t.Errorf("%v: %d, want %d", header, m.status, status)
		}
	}

	p := w.refused(t, w.do(t, "PUT", "/backup/x", "", map[string]string{"X-Oss-Copy-Source": "/photos/none"}), 404, "NoSuchKey")
	if p.Key != "none" || p.BucketName != "photos" {
		t.Errorf("%+v", p)
	}
	if p := w.refused(t, w.do(t, "PUT", "/backup/x", "", map[string]string{"X-Oss-Copy-Source": "/nowhere/none"}), 404, "NoSuchBucket"); p.BucketName != "nowhere" {
		t.Errorf("%+v", p)
	}
	for _, source := range []string{"/", "/photos", "/photos/", "/P/a", "/photos//a", "/photos/%zz", "/photos/a?versionId=", "/photos/a?x=1"} {
		w.refused(t, w.do(t, "PUT", "/backup/x", "", map[string]string{"X-Oss-Copy-Source": source}), 400, "InvalidArgument")
	}
	w.refused(t, w.do(t, "PUT", "/backup/x", "", with("X-Oss-Metadata-Directive", "STEAL")), 400, "InvalidArgument")
	w.refused(t, w.do(t, "PUT", "/backup/cat", "", with("X-Oss-Forbid-Overwrite", "true")), 409, "FileAlreadyExists")
	w.gone(t, "/backup/x")

	// Who may write here may not for that reason read there.
	w.must(t, w.other(t, "PUT", "/strangers", "", nil), 200)
	w.refused(t, w.other(t, "PUT", "/strangers/cat", "", from), 403, "AccessDenied")
	w.refused(t, w.do(t, "PUT", "/strangers/cat", "", from), 403, "AccessDenied")
}

func TestAppendObject(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	add := func(position int, body string) message {
		return w.do(t, "POST", fmt.Sprintf("/photos/log?append&position=%d", position), body, map[string]string{"Content-MD5": md5Header(body)})
	}
	w.refused(t, add(4, "meow"), 409, "PositionNotEqualToLength")
	m := w.must(t, add(0, "meow"), 200)
	if m.header.Get("X-Oss-Next-Append-Position") != "4" {
		t.Errorf("%v", m.header)
	}
	m = w.must(t, add(4, "woof"), 200)
	m2 := w.must(t, w.do(t, "HEAD", "/photos/log", "", nil), 200)
	if m.header.Get("X-Oss-Hash-Crc64ecma") != m2.header.Get("X-Oss-Hash-Crc64ecma") || m2.header.Get("X-Oss-Object-Type") != "Appendable" || m2.header.Get("X-Oss-Next-Append-Position") != "8" {
		t.Errorf("%v\n%v", m.header, m2.header)
	}
	m = add(4, "late")
	if p := w.refused(t, m, 409, "PositionNotEqualToLength"); p.EC != "0026-00000016" || m.header.Get("X-Oss-Next-Append-Position") != "8" {
		t.Errorf("%+v %v", p, m.header)
	}
	w.refused(t, w.do(t, "POST", "/photos/log?append&position=8", "x", map[string]string{"Content-MD5": md5Header("y")}), 400, "InvalidDigest")
	for _, query := range []string{"append", "append&position=", "append&position=-1", "append&position=x"} {
		w.refused(t, w.do(t, "POST", "/photos/log?"+query, "x", nil), 400, "InvalidArgument")
	}
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	w.refused(t, w.do(t, "POST", "/photos/cat?append&position=4", "x", nil), 409, "ObjectNotAppendable")

	w.refused(t, w.do(t, "POST", "/photos/log?seal&position=4", "", nil), 409, "PositionNotEqualToLength")
	m = w.must(t, w.do(t, "POST", "/photos/log?seal&position=8", "", nil), 200)
	if m.header.Get("X-Oss-Sealed-Time") == "" {
		t.Errorf("%v", m.header)
	}
	w.refused(t, add(8, "more"), 409, "ObjectNotAppendable")
	if m := w.do(t, "GET", "/photos/log", "", nil); m.body != "meowwoof" {
		t.Errorf("%q", m.body)
	}
}

func TestSymlinks(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	link := func(key, target string) message {
		return w.do(t, "PUT", "/photos/"+key+"?symlink", "", map[string]string{"X-Oss-Symlink-Target": target, "X-Oss-Meta-A": "link"})
	}
	w.must(t, link("link", "a%20%2B"), 200)
	w.refused(t, w.do(t, "GET", "/photos/link", "", nil), 404, "SymlinkTargetNotExist")
	if m := w.do(t, "HEAD", "/photos/link", "", nil); m.status != 404 {
		t.Errorf("%d", m.status)
	}
	w.must(t, w.do(t, "PUT", "/photos/a%20%2B", "meow", map[string]string{"X-Oss-Meta-A": "target"}), 200)
	m := w.must(t, w.do(t, "GET", "/photos/link", "", nil), 200)
	if m.body != "meow" || m.header.Get("X-Oss-Object-Type") != "Symlink" || m.header.Get("X-Oss-Meta-A") != "link" || m.header.Get("Etag") != `"4A4BE40C96AC6314E91D93F38043A634"` {
		t.Errorf("%+v", m)
	}
	m = w.must(t, w.do(t, "GET", "/photos/link?symlink", "", nil), 200)
	if m.header.Get("X-Oss-Symlink-Target") != "a%20%2B" || m.body != "" || m.header.Get("X-Oss-Meta-A") != "link" {
		t.Errorf("%+v", m)
	}
	w.must(t, link("twice", "link"), 200)
	w.refused(t, w.do(t, "GET", "/photos/twice", "", nil), 400, "InvalidTargetType")
	w.refused(t, w.do(t, "GET", "/photos/a%20%2B?symlink", "", nil), 400, "NotSymlink")
	w.refused(t, w.do(t, "GET", "/photos/none?symlink", "", nil), 404, "NoSuchKey")
	for _, target := range []string{"", "/a", "%zz", strings.Repeat("a", 1024)} {
		w.refused(t, link("bad", target), 400, "InvalidArgument")
	}
	// A copy of a symlink is a symlink.
	w.must(t, w.do(t, "PUT", "/photos/copy", "", map[string]string{"X-Oss-Copy-Source": "/photos/link"}), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/copy?symlink", "", nil), 200); m.header.Get("X-Oss-Symlink-Target") != "a%20%2B" {
		t.Errorf("%+v", m)
	}
	// Who may see the link may not for that reason see the target.
	w.must(t, w.do(t, "DELETE", "/photos/?publicAccessBlock", "", nil), 204)
	w.must(t, w.do(t, "PUT", "/photos/link?acl", "", map[string]string{"X-Oss-Object-Acl": "public-read"}), 200)
	w.refused(t, w.anonymous(t, "GET", "/photos/link", ""), 403, "AccessDenied")
	w.must(t, w.do(t, "PUT", "/photos/a%20%2B?acl", "", map[string]string{"X-Oss-Object-Acl": "public-read"}), 200)
	w.must(t, w.anonymous(t, "GET", "/photos/link", ""), 200)
}

func TestObjectState(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	acl := func(acl string) message {
		return w.do(t, "PUT", "/photos/cat?acl", "", map[string]string{"X-Oss-Object-Acl": acl})
	}
	grant := func() string {
		m := w.must(t, w.do(t, "GET", "/photos/cat?acl", "", nil), 200)
		_, s, _ := strings.Cut(m.body, "<Grant>")
		s, _, _ = strings.Cut(s, "<")
		return s
	}
	if got := grant(); got != "default" {
		t.Errorf("%s", got)
	}
	w.must(t, acl("private"), 200)
	if got := grant(); got != "private" {
		t.Errorf("%s", got)
	}
	w.refused(t, acl("public-read"), 403, "AccessDenied")
	w.refused(t, acl(""), 400, "InvalidArgument")
	w.refused(t, w.do(t, "GET", "/photos/none?acl", "", nil), 404, "NoSuchKey")

	const tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
	get := func() string {
		_, s, _ := strings.Cut(w.must(t, w.do(t, "GET", "/photos/cat?tagging", "", nil), 200).body, "\n")
		return s
	}
	if got := get(); got != "<Tagging><TagSet></TagSet></Tagging>" {
		t.Error(got)
	}
	w.must(t, w.do(t, "PUT", "/photos/cat?tagging", tags, nil), 200)
	if got := get(); got != tags {
		t.Error(got)
	}
	var eleven strings.Builder
	for i := range 11 {
		fmt.Fprintf(&eleven, "<Tag><Key>%d</Key></Tag>", i)
	}
	w.refused(t, w.do(t, "PUT", "/photos/cat?tagging", "<Tagging><TagSet>"+eleven.String()+"</TagSet></Tagging>", nil), 400, "InvalidArgument")
	w.refused(t, w.do(t, "PUT", "/photos/cat?tagging", "<Tagging/>", nil), 400, "MalformedXML")
	w.must(t, w.do(t, "DELETE", "/photos/cat?tagging", "", nil), 204)
	if got := get(); got != "<Tagging><TagSet></TagSet></Tagging>" {
		t.Error(got)
	}
	w.refused(t, w.do(t, "PUT", "/photos/none?tagging", tags, nil), 404, "NoSuchKey")
}

// TestRestore follows an archived object through its states, on a clock that
// the test moves.
func TestRestore(t *testing.T) {
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	w := newWorld(t, func(c *ossapi.Config) { c.Now = func() time.Time { return now } })
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cold", "meow", map[string]string{"X-Oss-Storage-Class": "ColdArchive"}), 200)
	w.must(t, w.do(t, "PUT", "/photos/warm", "meow", nil), 200)
	restore := func(doc string) message { return w.do(t, "POST", "/photos/cold?restore", doc, nil) }

	w.refused(t, w.do(t, "GET", "/photos/cold", "", nil), 403, "InvalidObjectState")
	w.must(t, w.do(t, "HEAD", "/photos/cold", "", nil), 200)
	w.refused(t, w.do(t, "PUT", "/photos/copy", "", map[string]string{"X-Oss-Copy-Source": "/photos/cold"}), 403, "InvalidObjectState")
	w.refused(t, w.do(t, "POST", "/photos/warm?restore", "", nil), 400, "OperationNotSupported")
	w.refused(t, w.do(t, "POST", "/photos/warm?cleanRestoredObject", "", nil), 400, "OperationNotSupported")
	for _, doc := range []string{"<RestoreRequest><Days>0</Days></RestoreRequest>", "<RestoreRequest><Days>366</Days></RestoreRequest>", "<RestoreRequest><JobParameters><Tier>Now</Tier></JobParameters></RestoreRequest>"} {
		w.refused(t, restore(doc), 400, "InvalidArgument")
	}
	m := w.must(t, restore("<RestoreRequest><Days>2</Days><JobParameters><Tier>Expedited</Tier></JobParameters></RestoreRequest>"), 202)
	if m.header.Get("X-Oss-Object-Restore-Priority") != "Expedited" {
		t.Errorf("%v", m.header)
	}
	w.refused(t, restore(""), 409, "RestoreAlreadyInProgress")
	if p := w.refused(t, w.do(t, "POST", "/photos/cold?cleanRestoredObject", "", nil), 409, "ArchiveRestoreNotFinished"); p.EC != "0016-00000719" {
		t.Errorf("%+v", p)
	}
	state := func() string {
		return w.must(t, w.do(t, "HEAD", "/photos/cold", "", nil), 200).header.Get("X-Oss-Restore")
	}
	if got := state(); got != `ongoing-request="true"` {
		t.Error(got)
	}
	now = now.Add(time.Hour)
	if got := state(); got != `ongoing-request="false", expiry-date="Wed, 07 Jan 2026 17:00:00 GMT"` {
		t.Error(got)
	}
	if m := w.must(t, w.do(t, "GET", "/photos/cold", "", nil), 200); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
	if l := w.list(t, "prefix=cold"); len(l.Contents) != 1 {
		t.Errorf("%+v", l)
	}
	w.must(t, restore("<RestoreRequest><Days>3</Days></RestoreRequest>"), 200) // longer
	if got := state(); !strings.Contains(got, "Thu, 08 Jan 2026 17:00:00 GMT") {
		t.Error(got)
	}
	w.must(t, w.do(t, "POST", "/photos/cold?cleanRestoredObject", "", nil), 200)
	w.refused(t, w.do(t, "GET", "/photos/cold", "", nil), 403, "InvalidObjectState")
	w.must(t, restore(""), 202)
	now = now.Add(2*time.Hour + 25*time.Hour) // restored, and over
	w.refused(t, w.do(t, "GET", "/photos/cold", "", nil), 403, "InvalidObjectState")
	if got := state(); got != "" {
		t.Error(got)
	}
}

func TestMultipart(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	const path = "/photos/a%20%2B"
	initiate := func(header map[string]string) string {
		t.Helper()
		m := w.must(t, w.do(t, "POST", path+"?uploads&encoding-type=url", "", header), 200)
		var res struct{ Bucket, Key, UploadId, EncodingType string } //nolint:revive // the element's name
		check(t, xml.Unmarshal([]byte(m.body), &res))
		if res.Key != "a%20%2B" || res.EncodingType != "url" || res.Bucket != "photos" || len(res.UploadId) != 32 {
			t.Fatalf("%+v", res)
		}
		return res.UploadId
	}
	part := func(id string, number int, body string) message {
		return w.do(t, "PUT", fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path, number, id), body, map[string]string{"Content-MD5": md5Header(body)})
	}
	list := func(etags ...string) string {
		var b strings.Builder
		b.WriteString("<CompleteMultipartUpload>")
		for i := 0; i < len(etags); i++ {
			fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etags[i])
		}
		return b.String() + "</CompleteMultipartUpload>"
	}
	big := strings.Repeat("a", 100<<10)

	id := initiate(map[string]string{"Content-Type": "image/cat", "X-Oss-Tagging": "a=1"})
	m1 := w.must(t, part(id, 1, big), 200)
	m2 := w.must(t, part(id, 2, "tail"), 200)
	if m2.header.Get("Content-Md5") != md5Header("tail") || m2.header.Get("X-Oss-Hash-Crc64ecma") == "" {
		t.Errorf("%v", m2.header)
	}
	e1, e2 := m1.header.Get("Etag"), m2.header.Get("Etag")

	// parts and uploads as listed
	m := w.must(t, w.do(t, "GET", path+"?encoding-type=url&max-parts=1&uploadId="+id, "", nil), 200)
	for _, want := range []string{"<Key>a%20%2B</Key>", "<PartNumberMarker>0<", "<NextPartNumberMarker>1<", "<MaxParts>1<", "<IsTruncated>true<", "<Size>102400<", "<StorageClass>Standard<"} {
		if !strings.Contains(m.body, want) {
			t.Errorf("%s is not in %s", want, m.body)
		}
	}
	m = w.must(t, w.do(t, "GET", "/photos/?uploads&encoding-type=url&prefix=a", "", nil), 200)
	for _, want := range []string{"<Key>a%20%2B</Key>", "<UploadId>" + id, "<IsTruncated>false<", "<Initiated>", "<MaxUploads>1000<"} {
		if !strings.Contains(m.body, want) {
			t.Errorf("%s is not in %s", want, m.body)
		}
	}
	w.refused(t, w.do(t, "DELETE", "/photos/", "", nil), 409, "BucketNotEmpty")

	// mistakes
	w.refused(t, w.do(t, "PUT", path+"?partNumber=1&uploadId="+id, "x", map[string]string{"Content-MD5": md5Header("y")}), 400, "InvalidDigest")
	for _, query := range []string{"partNumber=0", "partNumber=10001", "partNumber=x", ""} {
		w.refused(t, w.do(t, "PUT", path+"?"+query+"&uploadId="+id, "x", nil), 400, "InvalidArgument")
	}
	w.refused(t, w.do(t, "PUT", path+"?partNumber=1&uploadId=", "x", nil), 400, "InvalidArgument")
	complete := func(doc string, header map[string]string) message {
		return w.do(t, "POST", path+"?encoding-type=url&uploadId="+id, doc, header)
	}
	w.refused(t, complete(list(e2), nil), 400, "InvalidPart")
	w.refused(t, complete(strings.Replace(list(e1, e2), "<PartNumber>2<", "<PartNumber>1<", 1), nil), 400, "InvalidPartOrder")
	w.refused(t, complete(strings.Replace(list(e1, e2), "<PartNumber>2<", "<PartNumber>0<", 1), nil), 400, "InvalidArgument")
	w.refused(t, complete("", nil), 400, "MalformedXML")
	if p := w.refused(t, complete(list(e1), map[string]string{"X-Oss-Complete-All": "yes"}), 400, "InvalidArgument"); p.EC != "0042-00000216" {
		t.Errorf("%+v", p)
	}
	for query, ec := range map[string]string{"PUT ?partNumber=1&": "0042-00000104", "DELETE ?": "0042-00000002", "GET ?": "0042-00000002"} {
		method, query, _ := strings.Cut(query, " ")
		if p := w.refused(t, w.do(t, method, path+query+"uploadId=none", "", nil), 404, "NoSuchUpload"); p.EC != ec {
			t.Errorf("%s: %+v", method, p)
		}
	}

	m = w.must(t, complete(list(strings.ToLower(e1), strings.Trim(e2, `"`)), map[string]string{"X-Oss-Object-Acl": "private"}), 200)
	for _, want := range []string{"<EncodingType>url<", "<Location>" + w.URL + path + "<", "<Key>a%20%2B<", "-2&quot;</ETag>"} {
		if !strings.Contains(m.body, want) {
			t.Errorf("%s is not in %s", want, m.body)
		}
	}
	got := w.must(t, w.do(t, "GET", path, "", nil), 200)
	if got.body != big+"tail" || got.header.Get("X-Oss-Object-Type") != "Multipart" || got.header.Get("Content-Type") != "image/cat" ||
		got.header.Get("X-Oss-Hash-Crc64ecma") != m.header.Get("X-Oss-Hash-Crc64ecma") || got.header.Get("Content-Md5") != "" {
		t.Errorf("%d bytes, %v", len(got.body), got.header)
	}
	if m := w.do(t, "GET", path+"?acl", "", nil); !strings.Contains(m.body, "<Grant>private<") {
		t.Error(m.body)
	}

	// parts by copy
	id = initiate(nil)
	copyPart := func(source, span string) message {
		header := map[string]string{"X-Oss-Copy-Source": source}
		if span != "" {
			header["X-Oss-Copy-Source-Range"] = span
		}
		return w.do(t, "PUT", path+"?partNumber=1&uploadId="+id, "", header)
	}
	source := "/photos/a%20%2B"
	w.must(t, copyPart(source, ""), 200)
	m = w.must(t, copyPart(source, "bytes=102400-102403"), 200)
	if !strings.Contains(m.body, strings.ReplaceAll(e2, `"`, "&quot;")) {
		t.Errorf("%s, want %s", m.body, e2)
	}
	w.refused(t, copyPart(source, "bytes=102400-102404"), 416, "InvalidRange")
	w.refused(t, copyPart(source, "bytes=9-3"), 400, "InvalidArgument")
	w.refused(t, copyPart("/photos/none", ""), 404, "NoSuchKey")
	w.refused(t, w.do(t, "POST", path+"?uploadId="+id, "", map[string]string{"X-Oss-Complete-All": "yes", "X-Oss-Forbid-Overwrite": "true"}), 409, "FileAlreadyExists")
	w.must(t, w.do(t, "POST", path+"?uploadId="+id, "", map[string]string{"X-Oss-Complete-All": "yes"}), 200)
	if m := w.do(t, "GET", path, "", nil); m.body != "tail" {
		t.Errorf("%q", m.body)
	}

	// a small part before the last, nothing at all, and the end of an upload
	id = initiate(nil)
	e1 = w.must(t, part(id, 1, "small"), 200).header.Get("Etag")
	e2 = w.must(t, part(id, 2, "small, too"), 200).header.Get("Etag")
	w.refused(t, complete(list(e1, e2), nil), 400, "EntityTooSmall")
	w.must(t, w.do(t, "DELETE", path+"?uploadId="+id, "", nil), 204)
	w.refused(t, w.do(t, "DELETE", path+"?uploadId="+id, "", nil), 404, "NoSuchUpload")
	id = initiate(nil)
	w.must(t, complete(list(), nil), 200)
	if m := w.must(t, w.do(t, "GET", path, "", nil), 200); m.body != "" {
		t.Errorf("%q", m.body)
	}
}
