package ossapi_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/outbound"
	"github.com/stocktake/stocktake/internal/signature"
)

// The tests of this file and of suites_buckets_test.go check what the suites of
// other clients assert about the real service; see spec/oss-protocol.md, section
// 17.

// TestPlusIsABlank sends a raw plus wherever a name is percent-encoded.
func TestPlusIsABlank(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	sign := func(r *http.Request, key string) *http.Request {
		return w.signedAs(t, r, signature.Credentials{ID: keyID, Secret: secret}, signature.Target{Bucket: "photos", Key: key})
	}
	w.must(t, w.send(t, sign(w.request(t, "PUT", "/photos/a+b%2Bc", "meow", nil), "a b+c")), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/a%20b%2Bc", "", nil), 200); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
	w.must(t, w.do(t, "PUT", "/photos/copy", "", map[string]string{"X-Oss-Copy-Source": "/photos/a+b%2Bc"}), 200)
	w.must(t, w.do(t, "PUT", "/photos/link?symlink", "", map[string]string{"X-Oss-Symlink-Target": "a+b%2Bc"}), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/link", "", nil), 200); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
}

// wire sends a request as text and returns all that comes back until the server
// closes the connection.
func (w *world) wire(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", w.Listener.Addr().String())
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	check(t, err)
	check(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	answer, err := io.ReadAll(conn)
	check(t, err)
	return string(answer)
}

// TestResponseHeaderNames reads the names of headers as they are on the wire.
func TestResponseHeaderNames(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Meta-Colour": "red", "X-Oss-Tagging": "a=1"}), 200)
	for _, request := range []string{"GET /photos/cat", "GET /photos/dog", "HEAD /photos/dog", "HEAD /photos/cat"} {
		method, path, _ := strings.Cut(request, " ")
		answer := w.wire(t, w.head(t, method, path, nil)+"Connection: close\r\n\r\n")
		for line := range strings.SplitSeq(answer, "\r\n") {
			if strings.HasPrefix(strings.ToLower(line), "x-oss-") && !strings.HasPrefix(line, "x-oss-") {
				t.Errorf("%s: %s", request, line)
			}
		}
		if !strings.Contains(answer, "\r\nx-oss-request-id: ") {
			t.Errorf("%s", answer)
		}
	}
}

// TestLengthAndChunks holds that a request with both framings is answered and the
// connection then closed.
func TestLengthAndChunks(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	answer := w.wire(t, w.head(t, "PUT", "/photos/cat", nil)+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmeow\r\n0\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(answer, "\r\nConnection: close\r\n") {
		t.Errorf("%s", answer)
	}
	if m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
}

// TestPreconditionsOfWrites sends preconditions with every kind of change. Each is
// refused, and nothing changes.
func TestPreconditionsOfWrites(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	id := w.upload(t, "/photos/parts", nil)
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		value := `"4A4BE40C96AC6314E91D93F38043A634"`
		if strings.HasSuffix(name, "Since") {
			value = "Mon, 05 Jan 2026 16:00:00 GMT"
		}
		for _, request := range []string{
			"PUT /photos/cat", "DELETE /photos/cat", "POST /photos/new?append&position=0", "PUT /photos/new?symlink", "PUT /photos/cat?acl",
			"PUT /photos/parts?partNumber=1&uploadId=" + id, "POST /photos/parts?uploadId=" + id, "DELETE /photos/parts?uploadId=" + id,
		} {
			method, path, _ := strings.Cut(request, " ")
			w.refused(t, w.do(t, method, path, "woof", map[string]string{name: value, "X-Oss-Object-Acl": "private"}), 501, "NotImplemented")
		}
		w.refused(t, w.do(t, "PUT", "/photos/copy", "", map[string]string{name: value, "X-Oss-Copy-Source": "/photos/cat"}), 501, "NotImplemented")
		// Initiating an upload changes no object, and takes dates.
		if m := w.do(t, "POST", "/photos/new?uploads", "", map[string]string{name: value}); strings.HasSuffix(name, "Since") {
			w.must(t, m, 200)
		} else {
			w.refused(t, m, 501, "NotImplemented")
		}
	}
	if m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
	w.refused(t, w.do(t, "GET", "/photos/new", "", nil), 404, "NoSuchKey")
	w.must(t, w.do(t, "GET", "/photos/parts?uploadId="+id, "", nil), 200)
}

// TestPreconditionsOfReads holds that entity tags outrank dates, and that an answer
// names what it refuses.
func TestPreconditionsOfReads(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	const good, bad = `"4A4BE40C96AC6314E91D93F38043A634"`, `"x"`
	past, future := "Mon, 05 Jan 2015 16:00:00 GMT", time.Now().AddDate(1, 0, 0).UTC().Format(http.TimeFormat)
	for _, tt := range []struct {
		header map[string]string
		status int
		names  string
	}{
		{map[string]string{"If-Match": good, "If-Unmodified-Since": past}, 200, ""},
		{map[string]string{"If-Match": bad, "If-Unmodified-Since": future}, 412, "If-Match"},
		{map[string]string{"If-Unmodified-Since": past}, 412, "If-Unmodified-Since"},
		{map[string]string{"If-None-Match": bad, "If-Modified-Since": future}, 200, ""},
		{map[string]string{"If-None-Match": good, "If-Modified-Since": past}, 304, ""},
	} {
		m := w.must(t, w.do(t, "GET", "/photos/cat", "", tt.header), tt.status)
		if tt.names != "" {
			if p := w.refused(t, m, 412, "PreconditionFailed"); p.Condition != tt.names || !strings.HasSuffix(p.Message, "(condition: "+tt.names+")") {
				t.Errorf("%+v", p)
			}
		}
	}
	m := w.do(t, "PUT", "/photos/copy", "", map[string]string{"X-Oss-Copy-Source": "/photos/cat", "X-Oss-Copy-Source-If-Match": bad})
	if p := w.refused(t, m, 412, "PreconditionFailed"); p.Condition != "x-oss-copy-source-If-Match" {
		t.Errorf("%+v", p)
	}
	m = w.do(t, "GET", "/photos/cat", "", map[string]string{"Range": "bytes=4-", "X-Oss-Range-Behavior": "standard"})
	if w.refused(t, m, 416, "InvalidRange"); m.header.Get("Content-Range") != "bytes */4" {
		t.Errorf("%v", m.header)
	}
}

// TestCopyKeeps holds what a copy keeps of its source although it replaces the
// metadata.
func TestCopyKeeps(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{
		"Content-Type": "image/cat", "X-Oss-Object-Acl": "public-read", "X-Oss-Meta-A": "1", "X-Oss-Meta-Client-Side-Encryption-Key": "k",
	}), 403) // the bucket blocks public access
	w.must(t, w.do(t, "DELETE", "/photos/?publicAccessBlock", "", nil), 204)
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{
		"Content-Type": "image/cat", "X-Oss-Object-Acl": "public-read", "X-Oss-Meta-A": "1", "X-Oss-Meta-Client-Side-Encryption-Key": "k",
	}), 200)
	acl := func(path string) string {
		m := w.must(t, w.do(t, "GET", path+"?acl", "", nil), 200)
		_, rest, _ := strings.Cut(m.body, "<Grant>")
		grant, _, _ := strings.Cut(rest, "<")
		return grant
	}
	from := map[string]string{"X-Oss-Copy-Source": "/photos/cat", "X-Oss-Metadata-Directive": "REPLACE", "X-Oss-Meta-B": "2"}
	w.must(t, w.do(t, "PUT", "/photos/copy", "", from), 200)
	if m := w.do(t, "HEAD", "/photos/copy", "", nil); m.header.Get("Content-Type") != "image/cat" || m.header.Get("X-Oss-Meta-A") != "" ||
		m.header.Get("X-Oss-Meta-B") != "2" || m.header.Get("X-Oss-Meta-Client-Side-Encryption-Key") != "k" {
		t.Errorf("%v", m.header)
	}
	if got := acl("/photos/copy"); got != "default" {
		t.Errorf("ACL of another object: %s", got)
	}
	w.must(t, w.do(t, "PUT", "/photos/cat", "", from), 200)
	if got := acl("/photos/cat"); got != "public-read" {
		t.Errorf("ACL after a copy onto itself: %s", got)
	}
	from["X-Oss-Object-Acl"] = "default"
	w.must(t, w.do(t, "PUT", "/photos/cat", "", from), 200)
	if got := acl("/photos/cat"); got != "default" {
		t.Errorf("ACL that the copy sets: %s", got)
	}

	// An empty source is a mistake, not an upload.
	for _, path := range []string{"/photos/cat", "/photos/cat?partNumber=1&uploadId=" + w.upload(t, "/photos/cat", nil)} {
		r := w.request(t, "PUT", path, "", nil)
		r.Header["X-Oss-Copy-Source"] = []string{""}
		w.refused(t, w.send(t, w.signed(t, r)), 400, "InvalidArgument")
	}
	if m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
}

// TestLaterAppend holds that a later append changes the ACL and ignores tags.
func TestLaterAppend(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "POST", "/photos/log?append&position=0", "a", map[string]string{"X-Oss-Tagging": "a=1"}), 200)
	w.must(t, w.do(t, "POST", "/photos/log?append&position=1", "b", map[string]string{"X-Oss-Tagging": "b=2&c=3", "X-Oss-Object-Acl": "private"}), 200)
	if m := w.do(t, "GET", "/photos/log", "", nil); m.body != "ab" || m.header.Get("X-Oss-Tagging-Count") != "1" {
		t.Errorf("%+v", m)
	}
	if m := w.do(t, "GET", "/photos/log?acl", "", nil); !strings.Contains(m.body, "<Grant>private</Grant>") {
		t.Error(m.body)
	}
	w.must(t, w.do(t, "POST", "/photos/log?append&position=2", "c", nil), 200)
	if m := w.do(t, "GET", "/photos/log?acl", "", nil); !strings.Contains(m.body, "<Grant>private</Grant>") {
		t.Error(m.body)
	}
}

// upload begins a multipart upload and returns its id.
func (w *world) upload(t *testing.T, path string, header map[string]string) string {
	t.Helper()
	m := w.must(t, w.do(t, "POST", path+"?uploads", "", header), 200)
	_, rest, _ := strings.Cut(m.body, "<UploadId>")
	id, _, _ := strings.Cut(rest, "<")
	return id
}

// TestMultipartETag holds the ETag of a multipart object to OSS's rule: the MD5 of
// the parts' ETags as upper-case text.
func TestMultipartETag(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	id := w.upload(t, "/photos/big", nil)
	var list, tags strings.Builder
	for n, data := range []string{strings.Repeat("a", 100<<10), "tail"} {
		m := w.must(t, w.do(t, "PUT", fmt.Sprintf("/photos/big?partNumber=%d&uploadId=%s", n+1, id), data, nil), 200)
		tag := strings.Trim(m.header.Get("Etag"), `"`)
		tags.WriteString(tag)
		fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n+1, tag)
	}
	w.must(t, w.do(t, "POST", "/photos/big?uploadId="+id, "<CompleteMultipartUpload>"+list.String()+"</CompleteMultipartUpload>", nil), 200)
	want := fmt.Sprintf(`"%X-2"`, md5.Sum([]byte(tags.String())))
	if m := w.do(t, "HEAD", "/photos/big", "", nil); m.header.Get("Etag") != want {
		t.Errorf("%s, want %s", m.header.Get("Etag"), want)
	}
}

// TestMultipartEdges are the mistakes around uploads.
func TestMultipartEdges(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	w.refused(t, w.do(t, "POST", "/photos/big?uploadId=0123456789ABCDEF0123456789ABCDEF", "", nil), 404, "NoSuchUpload")
	id := w.upload(t, "/photos/big", nil)
	w.refused(t, w.do(t, "POST", "/photos/big?uploadId="+id, "", nil), 400, "MalformedXML")
	part := "/photos/big?partNumber=1&uploadId=" + id
	for _, name := range []string{"X-Oss-Server-Side-Encryption", "X-Oss-Server-Side-Data-Encryption", "X-Oss-Server-Side-Encryption-Key-Id"} {
		w.refused(t, w.do(t, "PUT", part, "x", map[string]string{name: "AES256"}), 400, "InvalidArgument")
		w.refused(t, w.do(t, "PUT", part, "", map[string]string{name: "AES256", "X-Oss-Copy-Source": "/photos/cat"}), 400, "InvalidArgument")
	}
	m := w.must(t, w.do(t, "PUT", part, "", map[string]string{"X-Oss-Copy-Source": "/photos/cat"}), 200)
	if m.header.Get("Etag") != `"4A4BE40C96AC6314E91D93F38043A634"` {
		t.Errorf("UploadPartCopy: %v", m.header)
	}

	// A client that encrypts says how large all is.
	secrets := map[string]string{
		"X-Oss-Meta-Client-Side-Encryption-Key": "key", "X-Oss-Meta-Client-Side-Encryption-Start": "iv",
		"X-Oss-Meta-Client-Side-Encryption-Cek-Alg": "AES/CTR/NoPadding", "X-Oss-Meta-Client-Side-Encryption-Wrap-Alg": "RSA",
		"X-Oss-Meta-Client-Side-Encryption-Data-Size": "1000",
	}
	w.refused(t, w.do(t, "POST", "/photos/secret?uploads", "", secrets), 400, "InvalidEncryptionRequest")
	secrets["X-Oss-Meta-Client-Side-Encryption-Part-Size"] = "100"
	id = w.upload(t, "/photos/secret", secrets)
	m = w.must(t, w.do(t, "GET", "/photos/secret?uploadId="+id, "", nil), 200)
	for _, element := range []string{"Key>key", "Start>iv", "CekAlg>AES/CTR/NoPadding", "WrapAlg>RSA", "DataSize>1000", "PartSize>100"} {
		if !strings.Contains(m.body, "<ClientEncryption"+element+"<") {
			t.Errorf("%s is missing: %s", element, m.body)
		}
	}
}

// TestObjectEdges are single answers about objects.
func TestObjectEdges(t *testing.T) {
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	w := newWorld(t, func(c *ossapi.Config) { c.Now = func() time.Time { return now } })
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/empty", "", nil), 200)
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)

	for _, tagging := range []string{"a%26b=1", "a=%25", "a=b%26c", "%25=1"} {
		w.refused(t, w.do(t, "PUT", "/photos/cat", "", map[string]string{"X-Oss-Tagging": tagging}), 400, "InvalidArgument")
	}
	w.refused(t, w.do(t, "PUT", "/photos/cat?tagging", "<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>1</Value></Tag></TagSet></Tagging>", nil), 400, "InvalidArgument")
	w.must(t, w.do(t, "PUT", "/photos/tagged", "", map[string]string{"X-Oss-Tagging": "a+b=c%2Bd-e%3D.f_%3A%2F1"}), 200)

	w.must(t, w.do(t, "PUT", "/photos/old", "", map[string]string{"X-Oss-Storage-Class": "Archive"}), 200)
	w.refused(t, w.do(t, "POST", "/photos/old?restore", "<RestoreRequest><Days>1</Days><JobParameters><Tier>Standard</Tier></JobParameters></RestoreRequest>", nil), 400, "MalformedXML")
	w.must(t, w.do(t, "POST", "/photos/old?restore", "<RestoreRequest><Days>1</Days></RestoreRequest>", nil), 202)

	for _, id := range []string{"nonsense", "!", "Q0FF"} {
		w.refused(t, w.do(t, "POST", "/photos/?delete", "<Delete><Object><Key>cat</Key><VersionId>"+id+"</VersionId></Object></Delete>", nil), 400, "InvalidArgument")
	}

	w.must(t, w.do(t, "PUT", "/photos/link?symlink", "", map[string]string{"X-Oss-Symlink-Target": "cat"}), 200)
	w.must(t, w.do(t, "DELETE", "/photos/link?symlink&versionId=null", "", nil), 204)
	w.refused(t, w.do(t, "GET", "/photos/link?symlink", "", nil), 404, "NoSuchKey")

	// This world has no keys, so it is not the form that is refused.
	w.refused(t, w.do(t, "PUT", "/photos/sealed", "x", map[string]string{"X-Oss-Server-Side-Encryption": "AES256", "X-Oss-Server-Side-Data-Encryption": "SM4"}), 400, "KmsKeyNotFound")
	before := map[string]string{}
	for _, key := range []string{"empty", "cat"} {
		before[key] = w.do(t, "HEAD", "/photos/"+key, "", nil).header.Get("Last-Modified")
	}
	now = now.Add(time.Minute)
	for _, key := range []string{"empty", "cat"} {
		w.must(t, w.do(t, "PUT", "/photos/"+key+"?acl", "", map[string]string{"X-Oss-Object-Acl": "private"}), 200)
		changed := w.do(t, "HEAD", "/photos/"+key, "", nil).header.Get("Last-Modified") != before[key]
		if changed != (key == "empty") {
			t.Errorf("PutObjectACL of %s changed its time: %v", key, changed)
		}
	}
}

// TestCallbackWithoutScheme holds that a callback URL may leave out its scheme.
func TestCallbackWithoutScheme(t *testing.T) {
	answers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"ok":true}`) })
	app := httptest.NewServer(answers)
	defer app.Close()
	w := newWorld(t, func(c *ossapi.Config) { c.Callbacks = outbound.Public(netip.MustParsePrefix("127.0.0.0/8")) })
	w.bucket(t, "photos")
	spec := base64.StdEncoding.EncodeToString([]byte(`{"callbackUrl":"` + strings.TrimPrefix(app.URL, "http://") + `","callbackBody":"x"}`))
	if m := w.must(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Callback": spec}), 200); m.body != `{"ok":true}` {
		t.Errorf("%s", m.body)
	}
}

// TestTagsOfCopies holds that a copy carries tags only with the rights on tags of
// both sides, and so does every other write that sets tags.
func TestTagsOfCopies(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/tagged", "meow", map[string]string{"X-Oss-Tagging": "a=1"}), 200)
	w.must(t, w.do(t, "PUT", "/photos/plain", "meow", nil), 200)
	const objects, read, write = `"oss:GetObject","oss:PutObject"`, `"oss:GetObjectTagging"`, `"oss:PutObjectTagging"`
	users := map[string]caller{}
	for name, actions := range map[string]string{"none": objects, "read": objects + "," + read, "write": objects + "," + write, "both": objects + "," + read + "," + write} {
		users[name] = w.matrixUser(t, name, `"Effect":"Allow","Action":[`+actions+`],"Resource":"*"`, nil)
	}
	send := func(user, method, path string, header map[string]string) message {
		r := w.request(t, method, path, "", header)
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return w.send(t, w.signedAs(t, r, users[user].key, signature.Target{Bucket: bucket, Key: key}))
	}
	for user := range users {
		copied := send(user, "PUT", "/photos/copy", map[string]string{"X-Oss-Copy-Source": "/photos/tagged"})
		if user == "both" {
			w.must(t, copied, 200)
		} else {
			w.refused(t, copied, 403, "AccessDenied")
			w.refused(t, w.do(t, "GET", "/photos/copy", "", nil), 404, "NoSuchKey")
		}
		w.must(t, send(user, "PUT", "/photos/copy", map[string]string{"X-Oss-Copy-Source": "/photos/plain"}), 200)
		w.must(t, send(user, "PUT", "/photos/copy", map[string]string{"X-Oss-Copy-Source": "/photos/tagged", "X-Oss-Tagging-Directive": "Replace"}), 200)
		for _, write := range []string{"PUT /photos/new", "POST /photos/new?uploads", "POST /photos/log?append&position=0", "PUT /photos/link?symlink"} {
			method, path, _ := strings.Cut(write, " ")
			m := send(user, method, path, map[string]string{"X-Oss-Tagging": "a=1", "X-Oss-Symlink-Target": "plain"})
			if user == "both" || user == "write" {
				w.must(t, m, 200)
			} else {
				w.refused(t, m, 403, "AccessDenied")
			}
			w.must(t, w.do(t, "DELETE", strings.Split(path, "?")[0], "", nil), 204)
		}
		w.must(t, w.do(t, "DELETE", "/photos/copy", "", nil), 204)
	}
}
