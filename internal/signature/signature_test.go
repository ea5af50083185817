package signature_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"

	"github.com/stocktake/stocktake/internal/signature"
)

// A vector is a request whose signature is known, from spec/oss-protocol.md.
type vector struct {
	name   string
	method string
	url    string
	header map[string]string
	target signature.Target
	now    time.Time
}

func (v vector) request() *http.Request {
	r := httptest.NewRequest(v.method, v.url, nil)
	for name, value := range v.header {
		r.Header.Set(name, value)
	}
	return r
}

func at(s string) time.Time {
	for _, layout := range []string{"20060102T150405Z", http.TimeFormat} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	panic("no time: " + s)
}

const paramsV4 = "param1=value1&%2Bparam1=value3&%7Cparam1=value4&%2Bparam2=&%7Cparam2=&param2="

func headersV4(date, credential string, more ...string) map[string]string {
	h := map[string]string{
		"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "content-type": "text/plain",
		"x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": date,
		"Authorization": "OSS4-HMAC-SHA256 Credential=ak/" + date[:8] + "/cn-hangzhou/oss/aliyun_v4_request," + credential,
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

var vectors = []vector{
	{
		"v4", "PUT", "/?" + paramsV4,
		headersV4("20231216T162057Z", "Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"),
		signature.Target{Bucket: "bucket", Key: "1234+-/123/1.txt"},
		at("20231216T162057Z"),
	},
	{
		"v4 blank after comma", "PUT", "/?" + paramsV4,
		headersV4("20231216T162057Z", " Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"),
		signature.Target{Bucket: "bucket", Key: "1234+-/123/1.txt"},
		at("20231216T162057Z"),
	},
	{
		"v4 additional headers", "PUT", "/?" + paramsV4,
		headersV4("20231216T172512Z", "AdditionalHeaders=abc;zabc,Signature=4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"),
		signature.Target{Bucket: "bucket", Key: "1234+-/123/1.txt"},
		at("20231216T172512Z"),
	},
	{
		"v4 token", "PUT", "/?" + paramsV4,
		headersV4("20231217T034736Z", "Signature=b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea", "x-oss-security-token", "token"),
		signature.Target{Bucket: "bucket", Key: "1234+-/123/1.txt"},
		at("20231217T034736Z"),
	},
	{
		"v4 url", "PUT", "/?" + paramsV4 + "&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=ak%2F20231217%2Fcn-hangzhou%2Foss%2Faliyun_v4_request" +
			"&x-oss-date=20231217T025437Z&x-oss-expires=599&x-oss-signature=a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe",
		map[string]string{"content-type": "application/octet-stream", "x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value"},
		signature.Target{Bucket: "bucket", Key: "1234+-/123/1.txt"},
		at("20231217T025437Z"),
	},
	{
		"v4 GetBucketInventory", "GET", "/?inventory&inventoryId=weekly-1",
		map[string]string{
			"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "content-type": "application/xml", "x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": "20260105T160000Z",
			"Authorization": "OSS4-HMAC-SHA256 Credential=ak/20260105/cn-hangzhou/oss/aliyun_v4_request,Signature=14b83ba0312355506ea0eb32e6d4e2f22aaedc8044f44250bfc38e5ae1ca8f14",
		},
		signature.Target{Bucket: "photos"},
		at("20260105T160000Z"),
	},
	{
		"v1", "PUT", "/",
		headersV1("kSHKmLxlyEAKtZPkJhG9bZb5k7M="),
		signature.Target{Bucket: "examplebucket", Key: "nelson"},
		at("Wed, 28 Dec 2022 10:27:41 GMT"),
	},
	{
		"v1 acl", "PUT", "/?acl",
		headersV1("/afkugFbmWDQ967j1vr6zygBLQk="),
		signature.Target{Bucket: "examplebucket", Key: "nelson"},
		at("Wed, 28 Dec 2022 10:27:41 GMT"),
	},
	{
		"v1 url", "GET", "/key?versionId=versionId&Expires=1699807420&OSSAccessKeyId=ak&Signature=dcLTea%2BYh9ApirQ8o8dOPqtvJXQ%3D",
		nil,
		signature.Target{Bucket: "bucket", Key: "key"},
		time.Unix(1699807420, 0),
	},
	{
		"v1 url token", "GET", "/key%2B123?Expires=1699808204&OSSAccessKeyId=ak&Signature=jzKYRrM5y6Br0dRFPaTGOsbrDhY%3D&security-token=token&versionId=versionId",
		nil,
		signature.Target{Bucket: "bucket", Key: "key+123"},
		time.Unix(1699808204, 0),
	},
	{
		"v1 GetBucketInventory", "GET", "/photos/?inventory&inventoryId=weekly-1",
		map[string]string{
			"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Content-Type": "application/xml", "Date": "Mon, 05 Jan 2026 16:00:00 GMT",
			"Authorization": "OSS ak:pS3iMhyPEVwIgmLuU6tgv4MSqYs=",
		},
		signature.Target{Bucket: "photos"},
		at("Mon, 05 Jan 2026 16:00:00 GMT"),
	},
}

func headersV1(sign string) map[string]string {
	return map[string]string{
		"Content-MD5": "eB5eJF1ptWaXm4bijSPyxw==", "Content-Type": "text/html",
		"Date": "Wed, 28 Dec 2022 10:27:41 GMT", "x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT",
		"x-oss-meta-author": "alice", "x-oss-meta-magic": "abracadabra", "Authorization": "OSS ak:" + sign,
	}
}

func verify(r *http.Request, now time.Time, secret string, targets ...signature.Target) (*signature.Auth, signature.Target, error) {
	a, err := signature.Parse(r)
	if err != nil || a == nil {
		return a, signature.Target{}, err
	}
	target, err := a.Verify(r, targets, secret, now)
	return a, target, err
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			a, target, err := verify(v.request(), v.now, "sk", signature.Target{Bucket: "wrong"}, v.target)
			if err != nil {
				e, _ := errors.AsType[*signature.Error](err)
				t.Fatalf("%v\n%s\n%s", err, e.StringToSign, e.CanonicalRequest)
			}
			if target != v.target {
				t.Errorf("target %+v, want %+v", target, v.target)
			}
			if a.AccessKeyID != "ak" || a.SecurityToken != "" != strings.Contains(v.name, "token") || a.Presigned != strings.Contains(v.name, "url") {
				t.Errorf("read %+v", a)
			}
			_, _, err = verify(v.request(), v.now, "sk2", v.target)
			if code(err) != signature.SignatureDoesNotMatch {
				t.Errorf("with another secret: %v", err)
			}
		})
	}
}

func code(err error) signature.Code {
	if e, ok := errors.AsType[*signature.Error](err); ok {
		return e.Code
	}
	return ""
}

// The error of a mismatch contains what a client must compare.
func TestMismatchShowsWhatWasSigned(t *testing.T) {
	r := vectors[5].request()
	r.Header.Set("Content-Type", "application/xml; charset=utf-8") // as a proxy would
	_, _, err := verify(r, vectors[5].now, "sk", vectors[5].target)
	e, ok := errors.AsType[*signature.Error](err)
	if !ok {
		t.Fatal(err)
	}
	const canonical = "GET\n/photos/\ninventory&inventoryId=weekly-1\ncontent-md5:1B2M2Y8AsgTpgAmY7PhCfg==\ncontent-type:application/xml; charset=utf-8\n" +
		"x-oss-content-sha256:UNSIGNED-PAYLOAD\nx-oss-date:20260105T160000Z\n\n\nUNSIGNED-PAYLOAD"
	if e.CanonicalRequest != canonical {
		t.Errorf("canonical request\n%s\nwant\n%s", e.CanonicalRequest, canonical)
	}
	if !strings.HasPrefix(e.StringToSign, "OSS4-HMAC-SHA256\n20260105T160000Z\n20260105/cn-hangzhou/oss/aliyun_v4_request\n") {
		t.Errorf("string to sign %q", e.StringToSign)
	}
	if !strings.HasPrefix(e.SignatureProvided, "14b83ba0") || e.AccessKeyID != "ak" {
		t.Errorf("%+v", e)
	}
}

func TestAnonymous(t *testing.T) {
	for _, target := range []string{"/", "/b/k?prefix=a&Expires=3&x-oss-date=1", "/?AccessKeyId=ak&Signature=x&Action=AssumeRole", "/?%zz"} {
		if a, err := signature.Parse(&http.Request{URL: mustURL(target)}); a != nil || err != nil {
			t.Errorf("%s: %+v, %v", target, a, err)
		}
	}
}

func mustURL(s string) *url.URL {
	path, query, _ := strings.Cut(s, "?")
	return &url.URL{Path: path, RawQuery: query}
}

const urlV4 = "/?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=ak%2F20231217%2Fr%2Foss%2Faliyun_v4_request&x-oss-date=20231217T025437Z&x-oss-expires=599&x-oss-signature=a3"

func TestRefused(t *testing.T) {
	const credential = "OSS4-HMAC-SHA256 Credential=ak/20231217/r/oss/aliyun_v4_request"
	for _, tt := range []struct {
		name   string
		url    string
		header map[string]string
		code   signature.Code
		ec     string
		text   string
	}{
		{"header and url", "/?OSSAccessKeyId=a&Expires=1&Signature=x", map[string]string{"Authorization": "OSS a:b"}, signature.InvalidArgument, "", ""},
		{"header and v4 url", urlV4, map[string]string{"Authorization": "OSS a:b"}, signature.InvalidArgument, "", ""},
		{"both urls", urlV4 + "&OSSAccessKeyId=a", nil, signature.InvalidArgument, "", ""},
		{"unknown scheme", "/", map[string]string{"Authorization": "Bearer x"}, signature.InvalidArgument, "", ""},
		{"version 2", "/", map[string]string{"Authorization": "OSS2 AccessKeyId:a,Signature:b"}, signature.InvalidArgument, "", "version 2"},
		{"version 2 url", "/?x-oss-signature-version=OSS2", nil, signature.InvalidArgument, "", ""},
		{"v1 without colon", "/", map[string]string{"Authorization": "OSS ak"}, signature.InvalidArgument, "", ""},
		{"v1 without id", "/", map[string]string{"Authorization": "OSS :x"}, signature.InvalidArgument, "", ""},
		{"v1 long id", "/", map[string]string{"Authorization": "OSS " + strings.Repeat("a", 200) + ":x"}, signature.InvalidArgument, "", ""},
		{"v1 without date", "/", map[string]string{"Authorization": "OSS a:b"}, signature.AccessDenied, "", "OSS authentication requires a valid Date."},
		{"v1 bad date", "/", map[string]string{"Authorization": "OSS a:b", "Date": "yesterday"}, signature.AccessDenied, "", ""},
		{"v4 without date", "/", map[string]string{"Authorization": credential + ",Signature=a"}, signature.AccessDenied, "", ""},
		{"v4 without signature", "/", map[string]string{"Authorization": credential, "x-oss-date": "20231217T025437Z"}, signature.InvalidArgument, "", ""},
		{"v4 two credentials", "/", map[string]string{"Authorization": credential + ",Credential=x,Signature=a"}, signature.InvalidArgument, "", ""},
		{"v4 unknown field", "/", map[string]string{"Authorization": credential + ",Signed=x,Signature=a"}, signature.InvalidArgument, "", ""},
		{"v4 short credential", "/", map[string]string{"Authorization": "OSS4-HMAC-SHA256 Credential=ak/20231217/r/oss,Signature=a"}, signature.InvalidArgument, "", ""},
		{"v4 other end", "/", map[string]string{"Authorization": "OSS4-HMAC-SHA256 Credential=ak/20231217/r/oss/aws4_request,Signature=a"}, signature.InvalidArgument, "", ""},
		{"v4 odd region", strings.Replace(urlV4, "%2Fr%2F", "%2Fr%0Ax%2F", 1), nil, signature.InvalidArgument, "", ""},
		{"v4 bad day", "/", map[string]string{"Authorization": "OSS4-HMAC-SHA256 Credential=ak/20231399/r/oss/aliyun_v4_request,Signature=a"}, signature.InvalidArgument, "0002-00000223", ""},
		{"v4 other day", "/", map[string]string{"Authorization": credential + ",Signature=a", "x-oss-date": "20231218T025437Z"}, signature.InvalidArgument, "0002-00000223", ""},
		{"v4 url without date", strings.Replace(urlV4, "x-oss-date", "x-date", 1), nil, signature.InvalidArgument, "", ""},
		{"v4 url bad date", strings.Replace(urlV4, "T025437Z", "", 1), nil, signature.InvalidArgument, "", ""},
		{"v4 url expires 0", strings.Replace(urlV4, "599", "0", 1), nil, signature.InvalidArgument, "0002-00000232", ""},
		{"v4 url expires 604801", strings.Replace(urlV4, "599", "604801", 1), nil, signature.InvalidArgument, "0002-00000232", ""},
		{"v4 url expires text", strings.Replace(urlV4, "599", "1h", 1), nil, signature.InvalidArgument, "0002-00000232", ""},
		{"v4 url twice", urlV4 + "&x-oss-expires=1", nil, signature.InvalidArgument, "", ""},
		{"v4 url not encoded", strings.Replace(urlV4, "%2F", "%2", 1), nil, signature.InvalidArgument, "", ""},
		{"v1 url without signature", "/?OSSAccessKeyId=a&Expires=1", nil, signature.AccessDenied, "", "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters."},
		{"v1 url without id", "/?Signature=a&Expires=1", nil, signature.AccessDenied, "", "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters."},
		{"v1 url bad expires", "/?Signature=a&Expires=1x&OSSAccessKeyId=a", nil, signature.AccessDenied, "0002-00000070", "Invalid date (should be seconds since epoch)."},
		{"v1 url huge expires", "/?Signature=a&Expires=9223372036854775807&OSSAccessKeyId=a", nil, signature.AccessDenied, "0002-00000070", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Method: "GET", URL: mustURL(tt.url), Header: http.Header{}}
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			a, err := signature.Parse(r)
			e, ok := errors.AsType[*signature.Error](err)
			if !ok || a != nil || e.Code != tt.code || e.EC != tt.ec || !strings.Contains(e.Message, tt.text) {
				t.Errorf("%+v, %#v; want %s %s %q", a, err, tt.code, tt.ec, tt.text)
			}
		})
	}
}

func TestTime(t *testing.T) {
	signed := at("20260105T160000Z")
	target := signature.Target{Bucket: "photos", Key: "cat"}
	for _, tt := range []struct {
		name    string
		scheme  signature.Scheme
		expires time.Duration // 0: in the header
		now     time.Duration // after signed
		code    signature.Code
		ec      string
	}{
		{"v1", signature.V1, 0, 15 * time.Minute, "", ""},
		{"v1 late", signature.V1, 0, 15*time.Minute + time.Second, signature.RequestTimeTooSkewed, "0002-00000504"},
		{"v1 early", signature.V1, 0, -15*time.Minute - time.Second, signature.RequestTimeTooSkewed, "0002-00000504"},
		{"v4", signature.V4, 0, -15 * time.Minute, "", ""},
		{"v4 late", signature.V4, 0, 24 * time.Hour, signature.RequestTimeTooSkewed, "0002-00000504"},
		{"v4 early", signature.V4, 0, -24 * time.Hour, signature.RequestTimeTooSkewed, "0002-00000504"},
		{"v1 url", signature.V1, time.Hour, time.Hour, "", ""},
		{"v1 url expired", signature.V1, time.Hour, time.Hour + time.Second, signature.AccessDenied, "0002-00000069"},
		{"v4 url", signature.V4, 7 * 24 * time.Hour, 7 * 24 * time.Hour, "", ""},
		{"v4 url expired", signature.V4, time.Second, 2 * time.Second, signature.AccessDenied, "0002-00000069"},
		{"v4 url early", signature.V4, time.Hour, -15 * time.Minute, "", ""},
		{"v4 url too early", signature.V4, time.Hour, -16 * time.Minute, signature.AccessDenied, "0002-00000235"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?acl", nil)
			cred := signature.Credentials{ID: "ak", Secret: "sk"}
			var err error
			if tt.expires > 0 {
				err = signature.Presign(r, target, cred, "cn-hangzhou", tt.scheme, signed, tt.expires)
			} else {
				err = signature.Sign(r, target, cred, "cn-hangzhou", tt.scheme, signed)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = verify(r, signed.Add(tt.now), "sk", target)
			e, _ := errors.AsType[*signature.Error](err)
			if code(err) != tt.code || e != nil && e.EC != tt.ec {
				t.Errorf("%v, want %q %s", err, tt.code, tt.ec)
			}
		})
	}
}

// Signatures of clients that sign in other ways than Sign.
func TestTolerance(t *testing.T) {
	target := signature.Target{Bucket: "photos", Key: "cat"}
	day := at("Mon, 05 Jan 2026 16:00:00 GMT")
	cred := credentials.Credentials{AccessKeyID: "ak", AccessKeySecret: "sk"}

	t.Run("v1 signs x-oss-date in the place of Date", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/cat?acl", nil)
		r.Header.Set("X-Oss-Date", day.Format(http.TimeFormat))
		sdkSign(t, &signer.SignerV1{}, r, target, cred, day)
		for _, date := range []string{"", "Tue, 06 Jan 2026 16:00:00 GMT"} {
			r.Header.Set("Date", date)
			a, _, err := verify(r, day, "sk", target)
			if err != nil || !a.Time.Equal(day) {
				t.Errorf("Date %q: %v", date, err)
			}
		}
	})
	t.Run("v1 with every parameter signed", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/cat?prefix=a%2Bb&acl", nil)
		err := signer.Signer(&signer.SignerV1{}).Sign(context.Background(), &signer.SigningContext{
			Bucket: &target.Bucket, Key: &target.Key, Request: r, Credentials: &cred, Time: day, SubResource: []string{"prefix"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := verify(r, day, "sk", target); err != nil {
			t.Error(err)
		}
	})
	t.Run("v1 token in a header of its own", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/cat", nil)
		sdkSign(t, &signer.SignerV1{}, r, target, cred, day)
		r.Header.Set("security-token", "t")
		if a, _, err := verify(r, day, "sk", target); err != nil || a.SecurityToken != "t" {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("v4 with parameters sorted by locale", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/?b&A&a&B", nil)
		r.Header.Set("X-Oss-Date", day.Format("20060102T150405Z"))
		// OSS4-HMAC-SHA256 over the query a&A&b&B.
		const want = "\na&A&b&B\n"
		r.Header.Set("Authorization", "OSS4-HMAC-SHA256 Credential=ak/20260105/cn-hangzhou/oss/aliyun_v4_request,Signature="+
			signature.SignCanonicalV4("sk", "GET\n/photos/cat"+want+"x-oss-date:20260105T160000Z\n\n\nUNSIGNED-PAYLOAD", "20260105T160000Z", "cn-hangzhou"))
		if _, _, err := verify(r, day, "sk", target); err != nil {
			t.Error(err)
		}
	})
	t.Run("v4 with Date as time stamp", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/", nil)
		stamp := day.Format(http.TimeFormat)
		r.Header.Set("Date", stamp)
		r.Header.Set("Authorization", "OSS4-HMAC-SHA256 Credential=ak/20260105/cn-hangzhou/oss/aliyun_v4_request,Signature="+
			signature.SignCanonicalV4("sk", "GET\n/photos/cat\n\n\n\nUNSIGNED-PAYLOAD", stamp, "cn-hangzhou"))
		if _, _, err := verify(r, day, "sk", target); err != nil {
			t.Error(err)
		}
	})
	t.Run("v4 blank as plus and as %20", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/?prefix=a%20b", nil)
		sdkSign(t, &signer.SignerV4{}, r, target, cred, day)
		r.URL.RawQuery = "prefix=a+b"
		if _, _, err := verify(r, day, "sk", target); err != nil {
			t.Error(err)
		}
	})
	t.Run("v4 parameter with = and without", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/?inventory=", nil)
		sdkSign(t, &signer.SignerV4{}, r, target, cred, day)
		r.URL.RawQuery = "inventory"
		if _, _, err := verify(r, day, "sk", target); err != nil {
			t.Error(err)
		}
	})
}

func sdkSign(t *testing.T, s signer.Signer, r *http.Request, target signature.Target, cred credentials.Credentials, now time.Time) {
	t.Helper()
	region, product := "cn-hangzhou", "oss"
	c := &signer.SigningContext{Request: r, Credentials: &cred, Time: now, Region: &region, Product: &product}
	if target.Bucket != "" {
		c.Bucket = &target.Bucket
	}
	if target.Key != "" {
		c.Key = &target.Key
	}
	if err := s.Sign(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// Headers that net/http keeps elsewhere must verify as they arrive.
func TestAdditionalHeadersOverTheWire(t *testing.T) {
	now := time.Now()
	cred := signature.Credentials{ID: "ak", Secret: "sk", Token: "tok"}
	target := signature.Target{Bucket: "photos", Key: "a b+%/猫"}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, _, err := verify(r, now, "sk", target)
		if err != nil || a == nil || a.SecurityToken != "tok" {
			e, _ := errors.AsType[*signature.Error](err)
			t.Errorf("%v: %+v", err, e)
		}
	}))
	defer srv.Close()

	for _, presign := range []bool{false, true} {
		for _, body := range []string{"", "hello"} {
			r, err := http.NewRequest("PUT", srv.URL+"/x?acl&versionId=+%20%26", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Range", "bytes=0-1")
			r.Header.Set("X-Oss-Meta-A", " padded ")
			names := []string{"Host", "content-length", "range", "absent", "x-oss-meta-a"}
			if presign {
				err = signature.Presign(r, target, cred, "", signature.V4, now, time.Minute, names...)
			} else {
				err = signature.Sign(r, target, cred, "", signature.V4, now, names...)
			}
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
}

func TestSignRefusesMistakes(t *testing.T) {
	now := at("20260105T160000Z")
	cred := signature.Credentials{ID: "ak", Secret: "sk"}
	request := func(u string) *http.Request { return &http.Request{Method: "GET", URL: mustURL(u)} }
	for name, err := range map[string]error{
		"no key":              signature.Sign(request("/"), signature.Target{}, signature.Credentials{}, "r", signature.V4, now),
		"no key in a url":     signature.Presign(request("/"), signature.Target{}, signature.Credentials{ID: "a"}, "r", signature.V4, now, time.Hour),
		"no scheme":           signature.Sign(request("/"), signature.Target{}, cred, "r", 0, now),
		"no scheme in a url":  signature.Presign(request("/"), signature.Target{}, cred, "r", 9, now, time.Hour),
		"too long":            signature.Presign(request("/"), signature.Target{}, cred, "r", signature.V4, now, 8*24*time.Hour),
		"too short":           signature.Presign(request("/"), signature.Target{}, cred, "r", signature.V1, now, 0),
		"query not encoded":   signature.Sign(request("/?a=%z"), signature.Target{}, cred, "r", signature.V4, now),
		"v1 query with a ';'": signature.Sign(request("/?acl=;"), signature.Target{}, cred, "r", signature.V1, now),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
