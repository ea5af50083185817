package ossapi_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A form is a form upload to be sent: pairs of name and value, then the file.
type form struct {
	fields [][2]string
	file   string // content; "-": no file
}

func (f form) with(more ...string) form {
	fields := append([][2]string(nil), f.fields...)
	for i := 0; i < len(more); i += 2 {
		fields = append(fields, [2]string{more[i], more[i+1]})
	}
	return form{fields, f.file}
}

func (w *world) post(t *testing.T, path string, f form) message {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, field := range f.fields {
		check(t, m.WriteField(field[0], field[1]))
	}
	if f.file != "-" {
		part, err := m.CreateFormFile("file", "cat.jpg")
		check(t, err)
		_, err = io.WriteString(part, f.file)
		check(t, err)
	}
	check(t, m.WriteField("submit", "Upload")) // browsers send the button, too
	check(t, m.Close())
	return w.send(t, w.request(t, "POST", path, b.String(), map[string]string{"Content-Type": m.FormDataContentType()}))
}

// policy returns a policy in base64.
func policy(expires time.Time, conditions string) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"expiration":"` + expires.UTC().Format("2006-01-02T15:04:05.000Z") + `","conditions":[` + conditions + `]}`))
}

// signedV1 returns the fields of a form signed with V1.
func signedV1(policy, id, secret string) []string {
	mac := hmac.New(sha1.New, []byte(secret))
	io.WriteString(mac, policy)
	return []string{"OSSAccessKeyId", id, "policy", policy, "Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

// signedV4 returns the fields of a form signed with V4.
func signedV4(policy string, now time.Time) []string {
	day := now.UTC().Format("20060102")
	key := []byte("aliyun_v4" + secret)
	for _, part := range []string{day, region, "oss", "aliyun_v4_request", policy} {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, part)
		key = mac.Sum(nil)
	}
	return []string{
		"policy", policy, "x-oss-signature-version", "OSS4-HMAC-SHA256", "x-oss-date", now.UTC().Format("20060102T150405Z"),
		"x-oss-credential", keyID + "/" + day + "/" + region + "/oss/aliyun_v4_request", "x-oss-signature", hex.EncodeToString(key),
	}
}

func TestPostObject(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	soon := time.Now().Add(time.Hour)
	ok := policy(soon, `{"bucket":"photos"},["starts-with","$key","user/"],["content-length-range",1,10],["in","$content-type",["image/jpg","image/png"]],["not-in","$cache-control",["no-cache"]]`)
	base := form{[][2]string{{"key", "user/${filename}"}, {"Content-Type", "image/jpg"}, {"x-oss-meta-colour", "red"}, {"x-oss-tagging", "a=1"}, {"x-oss-storage-class", "IA"}}, "meow"}

	for name, fields := range map[string][]string{"V1": signedV1(ok, keyID, secret), "V4": signedV4(ok, time.Now())} {
		m := w.must(t, w.post(t, "/photos", base.with(fields...)), 204)
		if m.header.Get("Etag") != `"4A4BE40C96AC6314E91D93F38043A634"` || m.header.Get("Location") != "" {
			t.Errorf("%s: %v", name, m.header)
		}
		m = w.must(t, w.do(t, "GET", "/photos/user/cat.jpg", "", nil), 200)
		if m.body != "meow" || m.header.Get("Content-Type") != "image/jpg" || m.header.Get("X-Oss-Meta-Colour") != "red" ||
			m.header.Get("X-Oss-Tagging-Count") != "1" || m.header.Get("X-Oss-Storage-Class") != "IA" {
			t.Errorf("%s: %+v", name, m)
		}
		w.must(t, w.do(t, "DELETE", "/photos/user/cat.jpg", "", nil), 204)
	}

	// The answer that the form requests.
	signed := base.with(signedV1(ok, keyID, secret)...)
	w.must(t, w.post(t, "/photos/", signed.with("success_action_status", "200")), 200)
	m := w.must(t, w.post(t, "/photos/", signed.with("success_action_status", "201")), 201)
	if !strings.Contains(m.body, "<PostResponse><Bucket>photos</Bucket><Location>"+w.URL+"/photos/user/cat.jpg</Location><Key>user/cat.jpg</Key><ETag>&quot;4A4B") {
		t.Error(m.body)
	}
	w.must(t, w.post(t, "/photos/", signed.with("success_action_status", "teapot")), 204)
	m = w.must(t, w.post(t, "/photos/", signed.with("success_action_redirect", "https://example.com/done?a=1", "success_action_status", "201")), 303)
	if to := m.header.Get("Location"); !strings.HasPrefix(to, "https://example.com/done?a=1&bucket=photos&etag=%224A4B") || !strings.HasSuffix(to, "&key=user%2Fcat.jpg") {
		t.Errorf("%s", to)
	}
}

// TestPostObjectRefuses sends forms that are rejected. None creates an object.
func TestPostObjectRefuses(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	soon := time.Now().Add(time.Hour)
	sign := func(conditions string) []string { return signedV1(policy(soon, conditions), keyID, secret) }
	plain := form{[][2]string{{"key", "cat"}}, "meow"}
	for name, tt := range map[string]struct {
		form   form
		status int
		code   string
	}{
		"no right":           {plain, 403, "AccessDenied"},
		"another account":    {plain.with(signedV1(policy(soon, ""), otherID, otherPass)...), 403, "AccessDenied"},
		"unknown key":        {plain.with(signedV1(policy(soon, ""), "nobody", secret)...), 403, "InvalidAccessKeyId"},
		"wrong signature":    {plain.with(signedV1(policy(soon, ""), keyID, "wrong")...), 403, "SignatureDoesNotMatch"},
		"no signature":       {plain.with("OSSAccessKeyId", keyID, "policy", policy(soon, "")), 400, "InvalidArgument"},
		"no policy":          {plain.with("OSSAccessKeyId", keyID, "Signature", "x"), 400, "InvalidArgument"},
		"bad credential":     {plain.with("x-oss-signature-version", "OSS4-HMAC-SHA256", "x-oss-credential", "a/b"), 400, "InvalidArgument"},
		"bad version":        {plain.with("x-oss-signature-version", "OSS9"), 400, "InvalidArgument"},
		"bad date":           {plain.with("x-oss-signature-version", "OSS4-HMAC-SHA256", "x-oss-credential", keyID+"/20260105/r/oss/aliyun_v4_request", "x-oss-date", "x"), 400, "InvalidArgument"},
		"expired":            {plain.with(signedV1(policy(time.Now().Add(-time.Second), ""), keyID, secret)...), 403, "AccessDenied"},
		"another bucket":     {plain.with(sign(`{"bucket":"other"}`)...), 403, "AccessDenied"},
		"another key":        {plain.with(sign(`["starts-with","$key","dog"]`)...), 403, "AccessDenied"},
		"a missing field":    {plain.with(sign(`["eq","$x-oss-meta-a","1"]`)...), 403, "AccessDenied"},
		"not in the list":    {plain.with(sign(`["in","$content-type",["a"]]`)...), 403, "AccessDenied"},
		"in the list":        {plain.with(sign(`["not-in","$content-type",["",  "a"]]`)...), 403, "AccessDenied"},
		"too large":          {plain.with(sign(`["content-length-range",0,3]`)...), 400, "EntityTooLarge"},
		"too small":          {plain.with(sign(`["content-length-range",5,9]`)...), 400, "EntityTooSmall"},
		"policy not base64":  {plain.with(signedV1("%", keyID, secret)...), 400, "InvalidPolicyDocument"},
		"policy not JSON":    {plain.with(signedV1("bWVvdw==", keyID, secret)...), 400, "InvalidPolicyDocument"},
		"unknown operator":   {plain.with(sign(`["like","$key","a"]`)...), 400, "InvalidPolicyDocument"},
		"two of three":       {plain.with(sign(`["eq","$key"]`)...), 400, "InvalidPolicyDocument"},
		"field without $":    {plain.with(sign(`["eq","key","cat"]`)...), 400, "InvalidPolicyDocument"},
		"value of no list":   {plain.with(sign(`["in","$key","cat"]`)...), 400, "InvalidPolicyDocument"},
		"range backwards":    {plain.with(sign(`["content-length-range",9,5]`)...), 400, "InvalidPolicyDocument"},
		"no key":             {form{nil, "meow"}, 400, "InvalidArgument"},
		"bad name":           {form{[][2]string{{"key", "/cat"}}, "meow"}, 400, "InvalidObjectName"},
		"no file":            {form{[][2]string{{"key", "cat"}}, "-"}, 400, "MalformedPOSTRequest"},
		"a field twice":      {plain.with("key", "dog"), 400, "MalformedPOSTRequest"},
		"a long field":       {plain.with("x-oss-meta-a", strings.Repeat("a", 9<<10)), 400, "FieldItemTooLong"},
		"a redirect nowhere": {plain.with(sign("")...).with("success_action_redirect", "javascript:x"), 400, "InvalidArgument"},
		"a bad ACL":          {plain.with(sign("")...).with("x-oss-object-acl", "everybody"), 400, "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			w.refused(t, w.post(t, "/photos/", tt.form), tt.status, tt.code)
			w.refused(t, w.do(t, "GET", "/photos/cat", "", nil), 404, "NoSuchKey")
		})
	}
	many := plain
	for range 40 {
		many = many.with("x-oss-meta-"+strings.Repeat("a", len(many.fields)+1), strings.Repeat("a", 7<<10))
	}
	w.refused(t, w.post(t, "/photos/", many), 400, "FieldItemTooLong")
	w.refused(t, w.do(t, "POST", "/photos/", "meow", nil), 400, "MalformedPOSTRequest")
	w.refused(t, w.do(t, "POST", "/photos/", "meow", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}), 400, "MalformedPOSTRequest")
	w.refused(t, w.post(t, "/missing/", plain), 404, "NoSuchBucket")
}

// TestPostObjectAnonymous holds that an unsigned form may do what an anonymous
// PutObject may, and that a policy in the form applies.
func TestPostObjectAnonymous(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.do(t, "PUT", "/open", "", map[string]string{"X-Oss-Acl": "public-read-write"}), 200)
	w.must(t, w.post(t, "/open/", form{[][2]string{{"key", "cat"}}, "meow"}), 204)
	if m := w.must(t, w.do(t, "GET", "/open/cat", "", nil), 200); m.body != "meow" || m.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%+v", m)
	}
	w.refused(t, w.post(t, "/open/", form{[][2]string{{"key", "dog"}, {"policy", policy(time.Now().Add(-time.Hour), "")}}, "x"}), 403, "AccessDenied")
	w.refused(t, w.post(t, "/open/", form{[][2]string{{"key", "dog"}, {"x-oss-tagging", "a=1"}}, "x"}), 403, "AccessDenied")

	// A form that ends within its file creates no object.
	r := w.request(t, "POST", "/open/", "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\ndog\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf",
		map[string]string{"Content-Type": "multipart/form-data; boundary=x"})
	w.refused(t, w.send(t, r), http.StatusBadRequest, "MalformedPOSTRequest")
	w.refused(t, w.do(t, "GET", "/open/dog", "", nil), 404, "NoSuchKey")
}

// TestPostObjectNameBomb holds that a form of 200 KB cannot expand to a name of 140
// MB.
func TestPostObjectNameBomb(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	check(t, m.WriteField("key", strings.Repeat("${filename}", 700)))
	part, err := m.CreateFormFile("file", strings.Repeat("a", 200<<10))
	check(t, err)
	_, err = io.WriteString(part, "meow")
	check(t, err)
	check(t, m.Close())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.refused(t, w.send(t, w.request(t, "POST", "/photos/", b.String(), map[string]string{"Content-Type": m.FormDataContentType()})), 400, "InvalidObjectName")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 50<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}
