package accesslog_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/accesslog"
	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/ossapi"
)

func TestRedact(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "acl": "acl", "a=1&&b=": "a=1&&b=", "prefix=a%2Fb&max-keys=10": "prefix=a%2Fb&max-keys=10",
		"OSSAccessKeyId=LTAI&Expires=1&Signature=abc%3D":                   "OSSAccessKeyId=LTAI&Expires=1&Signature=REDACTED",
		"x-oss-signature=00ff&x-oss-signature-version=OSS4-HMAC-SHA256":    "x-oss-signature=REDACTED&x-oss-signature-version=OSS4-HMAC-SHA256",
		"x-oss-credential=LTAI%2F20261126%2Foss":                           "x-oss-credential=LTAI%2F20261126%2Foss",
		"security-token=CAIS&x-oss-security-token=CAIS&SecurityToken=CAIS": "security-token=REDACTED&x-oss-security-token=REDACTED&SecurityToken=REDACTED",
		"%53ignature=abc&x-oss-s%69gnature=abc&X-OSS-SIGNATURE=abc":        "%53ignature=REDACTED&x-oss-s%69gnature=REDACTED&X-OSS-SIGNATURE=REDACTED",
		"%zz=abc": "%zz=REDACTED",
		"callback=eyJ1cmwi&callback-var=eyJ4&x-oss-callback=e30":                        "callback=REDACTED&callback-var=REDACTED&x-oss-callback=REDACTED",
		"continuation-token=photos%2F1":                                                 "continuation-token=photos%2F1",
		"SignatureMethod=HMAC-SHA1&SignatureNonce=1&SignatureVersion=1.0&Signature=abc": "SignatureMethod=HMAC-SHA1&SignatureNonce=1&SignatureVersion=1.0&Signature=REDACTED",
		"signature+extra=abc": "signature+extra=REDACTED",
	} {
		if got := accesslog.Redact(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// Whatever a query is, the value of a secret is not in what is left of it, which is
// bounded and one line of text.
func FuzzRedact(f *testing.F) {
	f.Add("a=1", "Signature", "&b=2")
	f.Add("%", "x-oss-security-token", "\xff\n")
	f.Fuzz(func(t *testing.T, before, name, after string) {
		const secret = "NeVeRsHoWn"
		if !strings.Contains(strings.ToLower(name), "token") || strings.ContainsAny(name, "&=%+") || strings.Contains(name, "continuation") || strings.ContainsAny(before+after, "NeVeR") {
			t.Skip()
		}
		got := accesslog.Redact(before + "&" + name + "=" + secret + "&" + after)
		if strings.Contains(got, secret) || len(got) > 2*2048 || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
	})
}

func TestLine(t *testing.T) {
	var out bytes.Buffer
	l := accesslog.New(logs.New(&out, logs.FormatJSON, slog.LevelInfo))
	r := httptest.NewRequest("GET", "http://photos.oss.example/cat?OSSAccessKeyId=LTAIexample&Expires=9999999999&Signature=secretsecret", nil)
	r.RemoteAddr = "[::ffff:10.0.0.7]:4711"
	r.Header.Set("User-Agent", strings.Repeat("猫", 200))
	l.Observe(ossapi.Observation{
		Operation: "GetObject", Code: "SignatureDoesNotMatch", EC: "0002-00000040", Status: 403, Out: 7, Took: 1500 * time.Millisecond, ID: "6B1F",
		Bucket: "photos", Key: "cat\n\u202e", Request: r, Context: logs.With(t.Context(), slog.String("trace", "4bf9"), slog.String("request", "6B1F")),
	})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"msg": "access", "request": "6B1F", "trace": "4bf9", "principal": "", "key_id": "LTAIexample", "operation": "GetObject", "bucket": "photos", "key": "cat\n\u202e",
		"status": 403., "code": "SignatureDoesNotMatch", "ec": "0002-00000040", "in": 0., "out": 7., "seconds": 1.5, "address": "10.0.0.7",
		"method": "GET", "host": "photos.oss.example", "query": "OSSAccessKeyId=LTAIexample&Expires=9999999999&Signature=REDACTED", "agent": strings.Repeat("猫", 100), "tls": false,
	} {
		if line[name] != want {
			t.Errorf("%s is %#v, want %#v", name, line[name], want)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 1 || strings.Contains(out.String(), "secretsecret") || strings.Count(out.String(), `"request"`) != 1 {
		t.Errorf("%s", out.String())
	}
}

func BenchmarkObserve(b *testing.B) {
	q := logs.NewQueue(discard{}, nil, nil)
	l := accesslog.New(logs.New(q, logs.FormatJSON, slog.LevelInfo))
	r := httptest.NewRequest("GET", "http://photos.oss.example/cat?prefix=a", nil)
	o := ossapi.Observation{Operation: "GetObject", Status: 200, ID: "6B1F", Bucket: "photos", Key: "cat", Request: r, Context: b.Context()}
	b.ReportAllocs()
	for b.Loop() {
		l.Observe(o)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
