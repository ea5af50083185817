package ossapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/signature"
)

// TestNothingFallsThrough requests every unsupported sub-resource with every
// method. None may have the effect of the request without it.
func TestNothingFallsThrough(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	w.bucket(t, "empty")

	for _, sub := range ossapi.NotOffered() {
		for _, path := range []string{"/", "/empty/", "/photos/cat", "/photos/new"} {
			for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
				if sub == "publicAccessBlock" && path == "/empty/" {
					continue // supported there
				}
				m := w.do(t, method, path+"?"+sub, "", nil)
				w.refused(t, m, 501, "NotImplemented")
			}
			if m := w.do(t, "HEAD", path+"?"+sub, "", nil); m.status != 501 && m.status != 405 {
				t.Errorf("HEAD %s?%s: %d", path, sub, m.status)
			}
		}
	}
	// Parameters that OSS does not know are ignored, with a value and without.
	for _, unknown := range []string{"foo", "foo=", "foo=bar", "Acl", "lifecycles", "x-oss-unknown"} {
		w.must(t, w.do(t, "PUT", "/photos/unknown?"+unknown, "meow", nil), 200)
		if m := w.must(t, w.do(t, "GET", "/photos/unknown?"+unknown, "", nil), 200); m.body != "meow" {
			t.Errorf("%s: %q", unknown, m.body)
		}
		w.must(t, w.do(t, "DELETE", "/photos/unknown?"+unknown, "", nil), 204)
		w.must(t, w.do(t, "GET", "/photos/?"+unknown, "", nil), 200)
	}

	// A sub-resource of another level is an unknown parameter here.
	w.refused(t, w.do(t, "DELETE", "/empty/?objectMeta", "", nil), 501, "NotImplemented")
	w.refused(t, w.do(t, "DELETE", "/photos/cat?inventory", "", nil), 501, "NotImplemented")
	w.refused(t, w.do(t, "PUT", "/photos/new?policy", "", nil), 501, "NotImplemented")

	// Methods that a sub-resource or a level does not have.
	for _, target := range []string{"PUT /photos/?location", "DELETE /photos/?versioning", "POST /photos/cat", "PUT /", "DELETE /photos/cat?acl", "PATCH /photos/cat"} {
		method, path, _ := strings.Cut(target, " ")
		w.refused(t, w.do(t, method, path, "", nil), 405, "MethodNotAllowed")
	}
	for _, target := range []string{"POST /photos/?inventory&inventoryId=x&x-oss-stocktake=fly", "GET /photos/?inventory&x-oss-stocktake", "GET /photos/cat?x-oss-stocktake=run"} {
		method, path, _ := strings.Cut(target, " ")
		w.refused(t, w.do(t, method, path, "", nil), 501, "NotImplemented")
	}
	for _, path := range []string{"/photos/?acl&policy", "/photos/cat?acl&tagging", "/photos/?prefix=a&prefix=b"} {
		w.refused(t, w.do(t, "GET", path, "", nil), 400, "InvalidArgument")
	}

	// Nothing has changed.
	w.must(t, w.do(t, "GET", "/empty/?bucketInfo", "", nil), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200); m.body != "meow" {
		t.Errorf("the object is %q", m.body)
	}
	w.refused(t, w.do(t, "GET", "/photos/new", "", nil), 404, "NoSuchKey")
}

// TestAddressing puts and gets an object in every way to address a bucket, signed
// as clients sign it.
func TestAddressing(t *testing.T) {
	w := newWorld(t, func(c *ossapi.Config) { c.CNAMEs = map[string]string{"pictures.example": "photos"} })
	w.bucket(t, "photos")
	const key = "a//b/../猫 +%2F"
	const path = "a//b/../%E7%8C%AB%20%2B%252F"
	target := signature.Target{Bucket: "photos", Key: key}
	for _, at := range []struct {
		path, host string
	}{
		{"/photos/" + path, ""},
		{"/photos/" + path, "unknown.example"},
		{"/photos/" + path, "oss.example.com"},
		{"/" + path, "photos.oss.example.com"},
		{"/" + path, "photos.oss-cn-hangzhou.aliyuncs.com"},
		{"/" + path, "PHOTOS.oss-eu-west-1-internal.aliyuncs.com:80"},
		{"/" + path, "pictures.example"},
		{"/photos/" + path, "photos.oss-cn-hangzhou.aliyuncs.com"}, // ali-oss, sldEnable
	} {
		header := map[string]string{}
		if at.host != "" {
			header["Host"] = at.host
		}
		body := at.path + at.host
		for _, scheme := range []signature.Scheme{signature.V1, signature.V4} {
			sign := func(method, body string) message {
				r := w.request(t, method, at.path, body, header)
				check(t, signature.Sign(r, target, signature.Credentials{ID: keyID, Secret: secret}, region, scheme, w.now()))
				return w.send(t, r)
			}
			w.must(t, sign("PUT", body), 200)
			if m := w.must(t, sign("GET", ""), 200); m.body != body {
				t.Errorf("%+v: %q", at, m.body)
			}
		}
	}

	// ali-oss has no bucket when it lists buckets.
	list := func(host string) message {
		r := w.request(t, "GET", "/", "", map[string]string{"Host": host})
		return w.send(t, w.signedAs(t, r, signature.Credentials{ID: keyID, Secret: secret}, signature.Target{}))
	}
	// The signature is that of the service, so "undefined" is not a bucket here.
	if m := w.must(t, list("undefined.oss-cn-hangzhou.aliyuncs.com"), 200); !strings.Contains(m.body, "<Name>photos</Name>") {
		t.Errorf("%s", m.body)
	}
}

// TestCommonHeaders checks the headers that clients rely on in every answer.
func TestCommonHeaders(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	ids := map[string]bool{}
	for _, m := range []message{
		w.do(t, "PUT", "/photos/cat", "meow", nil),
		w.do(t, "GET", "/photos/cat", "", nil),
		w.do(t, "GET", "/photos/dog", "", nil),
		w.do(t, "HEAD", "/photos/dog", "", nil),
		w.do(t, "DELETE", "/photos/dog", "", nil),
		w.do(t, "GET", "/photos/", "", nil),
		w.do(t, "GET", "/", "", nil),
	} {
		id := m.header.Get("X-Oss-Request-Id")
		if len(id) != 24 || strings.Trim(id, "0123456789ABCDEF") != "" || ids[id] {
			t.Errorf("request id %q", id)
		}
		ids[id] = true
		if m.header.Get("Server") != "AliyunOSS" || strings.Trim(m.header.Get("X-Oss-Server-Time"), "0123456789") != "" || m.header.Get("X-Oss-Server-Time") == "" {
			t.Errorf("%v", m.header)
		}
		if _, err := http.ParseTime(m.header.Get("Date")); err != nil {
			t.Error(err)
		}
		if m.status != 204 && m.header.Get("Content-Length") == "" {
			t.Errorf("no length: %d %v", m.status, m.header)
		}
	}
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	if len(w.seen.list) != 8 {
		t.Errorf("%d observations", len(w.seen.list))
	}
	if o := w.seen.list[2]; o.Operation != "GetObject" || o.Out != 4 || o.Status != 200 || o.Code != "" {
		t.Errorf("%+v", o)
	}
	if o := w.seen.list[3]; o.Operation != "GetObject" || o.Status != 404 || o.Code != "NoSuchKey" {
		t.Errorf("%+v", o)
	}
}
