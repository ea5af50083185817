package ossapi_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/google/go-cmp/cmp"
)

const corsXML = `<CORSConfiguration><CORSRule><AllowedOrigin>https://shop.example</AllowedOrigin><AllowedOrigin>https://*.shop.example</AllowedOrigin>` +
	`<AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-oss-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>` +
	`<ExposeHeader>x-oss-request-id</ExposeHeader><MaxAgeSeconds>0</MaxAgeSeconds></CORSRule>` +
	`<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule><ResponseVary>false</ResponseVary></CORSConfiguration>`

func TestBucketCORS(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.refused(t, w.do(t, "GET", "/photos/?cors", "", nil), 404, "NoSuchCORSConfiguration")
	w.must(t, w.do(t, "PUT", "/photos/?cors", corsXML, nil), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/?cors", "", nil), 200); !strings.HasSuffix(m.body, corsXML) {
		t.Errorf("reads back as %s", m.body)
	}
	w.refused(t, w.anonymous(t, "GET", "/photos/?cors", ""), 403, "AccessDenied")

	// The SDK's documents, and what the SDK reads from ours.
	c := w.client()
	want := &oss.CORSConfiguration{ResponseVary: oss.Ptr(true), CORSRules: []oss.CORSRule{{
		AllowedOrigins: []string{"*"}, AllowedMethods: []string{"PUT", "GET"}, AllowedHeaders: []string{"Authorization"},
		ExposeHeaders: []string{"x-oss-test"}, MaxAgeSeconds: oss.Ptr(int64(100)),
	}}}
	_, err := c.PutBucketCors(t.Context(), &oss.PutBucketCorsRequest{Bucket: oss.Ptr("photos"), CORSConfiguration: want})
	check(t, err)
	got, err := c.GetBucketCors(t.Context(), &oss.GetBucketCorsRequest{Bucket: oss.Ptr("photos")})
	check(t, err)
	if diff := cmp.Diff(want, got.CORSConfiguration); diff != "" {
		t.Error(diff)
	}
	w.must(t, w.do(t, "DELETE", "/photos/?cors", "", nil), 204)
	w.must(t, w.do(t, "DELETE", "/photos/?cors", "", nil), 204)
	w.refused(t, w.do(t, "GET", "/photos/?cors", "", nil), 404, "NoSuchCORSConfiguration")
}

func TestPutBucketCORSRefuses(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	rule := func(more string) string {
		return "<CORSRule><AllowedOrigin>https://a</AllowedOrigin><AllowedMethod>GET</AllowedMethod>" + more + "</CORSRule>"
	}
	for name, doc := range map[string]string{
		"eleven rules":          strings.Repeat(rule(""), 11),
		"two wildcards":         rule("<AllowedOrigin>https://*.*</AllowedOrigin>"),
		"an empty origin":       rule("<AllowedOrigin/>"),
		"an origin of two":      rule("<AllowedOrigin>https://a https://b</AllowedOrigin>"),
		"a line end":            rule("<AllowedOrigin>https://a&#13;&#10;X: y</AllowedOrigin>"),
		"another method":        rule("<AllowedMethod>PATCH</AllowedMethod>"),
		"case of a method":      rule("<AllowedMethod>get</AllowedMethod>"),
		"a header's name":       rule("<AllowedHeader>a b</AllowedHeader>"),
		"two in a header":       rule("<AllowedHeader>*-*</AllowedHeader>"),
		"wildcard exposed":      rule("<ExposeHeader>*</ExposeHeader>"),
		"exposed line end":      rule("<ExposeHeader>a&#10;b</ExposeHeader>"),
		"age below":             rule("<MaxAgeSeconds>-1</MaxAgeSeconds>"),
		"age above":             rule("<MaxAgeSeconds>1000000000</MaxAgeSeconds>"),
		"age no number":         rule("<MaxAgeSeconds>day</MaxAgeSeconds>"),
		"two ages":              rule("<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds>"),
		"vary is not a boolean": rule("") + "<ResponseVary>maybe</ResponseVary>",
	} {
		if m := w.refused(t, w.do(t, "PUT", "/photos/?cors", "<CORSConfiguration>"+doc+"</CORSConfiguration>", nil), 400, "InvalidArgument"); m.Message == "" {
			t.Errorf("%s: no message", name)
		}
	}
	for _, doc := range []string{
		"", "<CORSConfiguration/>", "<CORSConfiguration><CORSRule/></CORSConfiguration>",
		"<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
		"<CORSConfiguration>" + rule("<!--"+strings.Repeat("x", 16<<10)+"-->") + "</CORSConfiguration>",
	} {
		w.refused(t, w.do(t, "PUT", "/photos/?cors", doc, nil), 400, "MalformedXML")
	}
	w.refused(t, w.do(t, "GET", "/photos/?cors", "", nil), 404, "NoSuchCORSConfiguration")
}

// corsHeaders are the headers of an answer that a browser evaluates.
func corsHeaders(m message) map[string]string {
	got := map[string]string{}
	for name := range m.header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			got[strings.TrimPrefix(name, "Access-Control-")] = m.header.Get(name)
		}
	}
	return got
}

func TestPreflight(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	ask := func(path, origin, method, headers string) message {
		r := w.request(t, "OPTIONS", path, "", nil) // browsers do not sign it
		for name, v := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		return w.send(t, r)
	}
	const origin = "https://shop.example"
	w.refused(t, ask("/photos/cat", origin, "PUT", ""), 403, "AccessForbidden")
	w.must(t, w.do(t, "PUT", "/photos/?cors", corsXML, nil), 200)

	want := map[string]string{"Allow-Origin": origin, "Allow-Methods": "PUT, GET", "Expose-Headers": "ETag, x-oss-request-id", "Max-Age": "0"}
	for _, path := range []string{"/photos/cat", "/photos/cat?uploads", "/photos/cat?partNumber=1&uploadId=x", "/photos/", "/photos/?cors", "/photos/?website", "/photos/cat?a=b&a=c"} {
		if m := w.must(t, ask(path, origin, "PUT", ""), 200); m.body != "" || !maps.Equal(corsHeaders(m), want) {
			t.Errorf("%s: %v", path, corsHeaders(m))
		}
	}
	want["Allow-Headers"] = "x-oss-meta-a, X-OSS-Date"
	if m := w.must(t, ask("/photos/cat", origin, "PUT", "x-oss-meta-a,X-OSS-Date"), 200); !maps.Equal(corsHeaders(m), want) {
		t.Errorf("with headers: %v", corsHeaders(m))
	}
	if m := w.must(t, ask("/photos/cat", "null", "HEAD", ""), 200); !maps.Equal(corsHeaders(m), map[string]string{"Allow-Origin": "*", "Allow-Methods": "HEAD"}) {
		t.Errorf("of any origin: %v", corsHeaders(m))
	}
	for _, refused := range [][3]string{
		{"https://evil.example", "PUT", ""},
		{origin, "DELETE", ""},
		{origin, "PUT", "authorization"},
		{origin, "PUT", "x-oss-a, authorization"},
		{origin, "PUT", strings.Repeat("x-oss-a,", 101)},
		{origin, "PUT", strings.Repeat("x-oss-a ,  ", 1<<10)},
	} {
		m := ask("/photos/cat", refused[0], refused[1], refused[2])
		if w.refused(t, m, 403, "AccessForbidden"); len(corsHeaders(m)) > 0 {
			t.Errorf("%.60q: %v", refused, corsHeaders(m))
		}
	}
	w.refused(t, ask("/photos/cat", "", "PUT", ""), 400, "BadRequest")
	w.refused(t, ask("/photos/cat", origin, "", ""), 400, "BadRequest")
	w.refused(t, ask("/missing/cat", origin, "PUT", ""), 404, "NoSuchBucket")
}

// A page of an allowed origin can read answers, errors among them; others, and
// pages of buckets without rules, cannot.
func TestCrossOriginRequests(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	from := func(origin string) map[string]string { return map[string]string{"Origin": origin} }
	const origin = "https://a.shop.example"
	if m := w.must(t, w.do(t, "PUT", "/photos/cat", "meow", from(origin)), 200); len(corsHeaders(m)) > 0 {
		t.Errorf("without rules: %v", corsHeaders(m))
	}
	w.must(t, w.do(t, "PUT", "/photos/?cors", corsXML, nil), 200)
	want := map[string]string{"Allow-Origin": origin, "Allow-Methods": "PUT, GET", "Expose-Headers": "ETag, x-oss-request-id", "Max-Age": "0"}
	for path, status := range map[string]int{"/photos/cat": 200, "/photos/": 200, "/photos/dog": 404} {
		if m := w.must(t, w.do(t, "GET", path, "", from(origin)), status); !maps.Equal(corsHeaders(m), want) {
			t.Errorf("%s: %v", path, corsHeaders(m))
		}
	}
	r := w.request(t, "GET", "/photos/cat", "", from(origin)) // not signed, so refused
	if m := w.must(t, w.send(t, r), 403); !maps.Equal(corsHeaders(m), want) {
		t.Errorf("a refusal: %v", corsHeaders(m))
	}
	for _, h := range []map[string]string{from("https://evil.example"), nil} {
		if m := w.must(t, w.do(t, "GET", "/photos/cat", "", h), 200); len(corsHeaders(m)) > 0 {
			t.Errorf("%v: %v", h, corsHeaders(m))
		}
	}
	w.must(t, w.do(t, "PUT", "/photos/?cors", strings.Replace(corsXML, "Vary>false", "Vary>true", 1), nil), 200)
	if m := w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200); !maps.Equal(corsHeaders(m), map[string]string{"Vary": "Origin"}) {
		t.Errorf("with ResponseVary: %v", corsHeaders(m))
	}
}
