package signature_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/signature"
)

var signed = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)

// drawRequest draws a request that a client may send.
func drawRequest(t *rapid.T) (*http.Request, signature.Target) {
	text := rapid.String()
	target := signature.Target{Bucket: rapid.StringMatching("[a-z0-9-]{3,8}").Draw(t, "bucket"), Key: text.Draw(t, "key")}
	// A V1 signature does not distinguish a '?' in a key from the start of the query.
	target.Key = strings.ReplaceAll(target.Key, "?", "")
	query := url.Values{"acl": {text.Draw(t, "acl")}, "x-oss-process": {text.Draw(t, "process")}}
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		name := text.Draw(t, "name")
		if !strings.HasPrefix(name, "x-oss-") && len(query[name]) == 0 {
			query.Set(name, text.Draw(t, "value"))
		}
	}
	header := http.Header{
		"X-Oss-Meta-A": {rapid.StringMatching("[ -~]{0,8}").Draw(t, "meta")},
		"Content-Type": {rapid.StringMatching("[!-~]{1,8}").Draw(t, "type")},
		"Content-Md5":  {rapid.StringMatching("[!-~]{1,8}").Draw(t, "md5")},
		"Range":        {"bytes=0-"},
	}
	return &http.Request{
		Method: rapid.SampledFrom([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}).Draw(t, "method"),
		URL:    &url.URL{Path: "/", RawQuery: query.Encode()},
		Host:   "oss-cn-hangzhou.aliyuncs.com", Header: header,
	}, target
}

// A request verifies as it was signed, and does not verify if any signed part is changed.
func TestEverySignedPartCounts(t *testing.T) { rapid.Check(t, everySignedPartCounts) }

func FuzzEverySignedPartCounts(f *testing.F) { f.Fuzz(rapid.MakeFuzz(everySignedPartCounts)) }

func everySignedPartCounts(t *rapid.T) {
	r, target := drawRequest(t)
	scheme := rapid.SampledFrom([]signature.Scheme{signature.V1, signature.V4}).Draw(t, "scheme")
	presign := rapid.Bool().Draw(t, "presign")
	cred := signature.Credentials{ID: "ak", Secret: "sk", Token: rapid.SampledFrom([]string{"", "to/k+en"}).Draw(t, "token")}
	var err error
	if presign {
		err = signature.Presign(r, target, cred, "cn-hangzhou", scheme, signed, time.Hour, "range", "host")
	} else {
		err = signature.Sign(r, target, cred, "cn-hangzhou", scheme, signed, "range", "host")
	}
	if err != nil {
		t.Fatal(err)
	}
	a, got, err := verify(r, signed, "sk", target)
	if err != nil || got != target || a.SecurityToken != cred.Token || a.Scheme != scheme || a.Presigned != presign {
		t.Fatalf("as signed: %+v, %+v, %#v", a, got, err)
	}

	query := func(name string) func() {
		return func() {
			q := r.URL.Query()
			q.Set(name, q.Get(name)+"x")
			r.URL.RawQuery = q.Encode()
		}
	}
	head := func(name string) func() { return func() { r.Header.Set(name, r.Header.Get(name)+"x") } }
	changes := map[string]func(){
		"method":      func() { r.Method += "X" },
		"bucket":      func() { target.Bucket += "x" },
		"key":         func() { target.Key += "x" },
		"parameter":   query("acl"),
		"x-oss param": query("x-oss-process"),
		"new param":   func() { r.URL.RawQuery += "&x-oss-new=1" },
		"again":       func() { r.URL.RawQuery += "&acl=again" },
		"md5":         head("Content-Md5"),
		"type":        head("Content-Type"),
		"meta":        head("X-Oss-Meta-A"),
		"new header":  func() { r.Header.Set("X-Oss-New", "1") },
	}
	if cred.Token != "" && !presign {
		changes["token"] = head("X-Oss-Security-Token")
	}
	later := signed.Add(time.Second)
	switch {
	case presign && scheme == signature.V1:
		changes["expires"] = func() {
			q := r.URL.Query()
			q.Set("Expires", "1767632401")
			r.URL.RawQuery = q.Encode()
		}
	case presign:
		changes["expires"] = func() {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "x-oss-expires=3600", "x-oss-expires=3601", 1)
		}
		changes["id"] = func() {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "x-oss-credential=a", "x-oss-credential=b", 1)
		}
	case scheme == signature.V1:
		changes["date"] = func() { r.Header.Set("Date", later.Format(http.TimeFormat)) }
	default:
		changes["date"] = func() { r.Header.Set("X-Oss-Date", later.Format("20060102T150405Z")) }
		changes["region"] = func() {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "hangzhou", "beijing", 1))
		}
	}
	if scheme == signature.V4 {
		changes["plain param"] = func() { r.URL.RawQuery += "&plain" }
		changes["range"] = head("Range")
		changes["host"] = func() { r.Host = "oss-cn-beijing.aliyuncs.com" }
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(changes))).Draw(t, "change")
	changes[name]()
	if _, _, err := verify(r, signed, "sk", target); err == nil {
		t.Fatalf("%v: changed %s, still accepted", scheme, name)
	}
}

// Requests that the official SDK signs are accepted.
func TestAcceptsTheSDK(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, target := drawRequest(rt)
		// The SDK sorts parameters as encoded by net/url, before it escapes a space.
		// Parameter names of OSS contain none.
		for name := range r.URL.Query() {
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || name == "" {
				q := r.URL.Query()
				q.Del(name)
				r.URL.RawQuery = q.Encode()
			}
		}
		cred := credentials.Credentials{AccessKeyID: "ak", AccessKeySecret: "sk", SecurityToken: rapid.SampledFrom([]string{"", "token"}).Draw(rt, "token")}
		var s signer.Signer = &signer.SignerV1{}
		if rapid.Bool().Draw(rt, "v4") {
			s = &signer.SignerV4{}
		}
		region, product := "cn-hangzhou", "oss"
		if target.Key == "" {
			target.Key = "k"
		}
		presign := rapid.Bool().Draw(rt, "presign")
		c := &signer.SigningContext{
			Request: r, Credentials: &cred, Time: signed, Region: &region, Product: &product, Bucket: &target.Bucket, Key: &target.Key,
			AuthMethodQuery: presign, AdditionalHeaders: []string{"range"},
		}
		now := signed
		if presign { // the SDK takes an absolute expiry, and signs at the real time
			c.Time = time.Now().Add(time.Hour)
			now = time.Now()
		}
		if err := s.Sign(t.Context(), c); err != nil {
			rt.Fatal(err)
		}
		a, _, err := verify(r, now, "sk", target)
		if err != nil || a.SecurityToken != cred.SecurityToken {
			rt.Fatalf("%v: %+v\nwe signed %+v\nthey signed %q", err, a, err, c.StringToSign)
		}
	})
}

// Parse and Verify handle any input, and never accept it without the secret.
func FuzzNothingPasses(f *testing.F) {
	for _, v := range vectors {
		r := v.request()
		f.Add(r.Method, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Date"), r.Header.Get("X-Oss-Date"))
	}
	f.Add("GET", "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=////&x-oss-expires=-1&%=%", "OSS4-HMAC-SHA256 ,=,;", "", "\x00")
	f.Fuzz(func(t *testing.T, method, query, authorization, date, ossDate string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		for name, value := range map[string]string{"Authorization": authorization, "Date": date, "X-Oss-Date": ossDate} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		a, err := signature.Parse(r)
		if err != nil && a != nil {
			t.Fatalf("both %+v and %v", a, err)
		}
		if a == nil {
			return
		}
		if a.AccessKeyID == "" {
			t.Error("parsed without an access key")
		}
		for _, now := range []time.Time{a.Time, a.Expires, signed} {
			if _, err := a.Verify(r, []signature.Target{{}, {Bucket: "b", Key: "k"}}, "a secret of its own", now); err == nil {
				t.Error("passes without the secret")
			}
		}
	})
}

// Unauthenticated clients cannot fill the cache of signing keys, and the cache is bounded.
func TestKeyCacheIsBounded(t *testing.T) {
	target := signature.Target{Bucket: "b"}
	before := signature.CachedKeys()
	for i := range 3000 {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, Header: http.Header{}}
		region := strings.Repeat("r", i%1500)
		if err := signature.Sign(r, target, signature.Credentials{ID: "ak", Secret: "sk"}, region, signature.V4, signed); err != nil {
			t.Fatal(err)
		}
		if _, _, err := verify(r, signed, "another secret", target); err == nil {
			t.Fatal("accepted")
		}
		if _, _, err := verify(r, signed, "sk", target); err != nil {
			t.Fatal(err)
		}
	}
	if n := signature.CachedKeys(); n > 1024 {
		t.Errorf("%d keys kept, after %d", n, before)
	}
}
