package ossapi_test

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// TestErrorsAreFoundWrapped holds that adding details to an error does not change
// the code and the status of the reply.
func TestErrorsAreFoundWrapped(t *testing.T) {
	rows := append(ossapi.ErrorRows(), []ossapi.ErrorRow{
		{Err: &stocktake.InvalidArgumentError{Element: "Id"}, Code: "InvalidArgument", Status: 400},
		{Err: &stocktake.MalformedXMLError{}, Code: "MalformedXML", Status: 400},
		{Err: &object.PositionError{}, Code: "PositionNotEqualToLength", Status: 409},
		{Err: &object.DeleteMarkerError{}, Code: "NoSuchKey", Status: 404},
		{Err: &ram.DeniedError{Message: "no"}, Code: "AccessDenied", Status: 403},
		{Err: &ram.PolicyError{}, Code: "InvalidPolicyDocument", Status: 400},
		{Err: &signature.Error{Code: signature.SignatureDoesNotMatch}, Code: "SignatureDoesNotMatch", Status: 403},
		{Err: &signature.Error{Code: signature.InvalidArgument}, Code: "InvalidArgument", Status: 400},
		{Err: errors.New("anything"), Code: "InternalError", Status: 500},
	}...)
	for _, row := range rows {
		for _, err := range []error{row.Err, fmt.Errorf("index: %w", fmt.Errorf("bucket photos: %w", row.Err)), errors.Join(row.Err)} {
			if code, status := ossapi.ReplyTo(err); code != row.Code || status != row.Status {
				t.Errorf("%v: %d %s, want %d %s", err, status, code, row.Status, row.Code)
			}
		}
	}
}

// TestHeadErrors holds that an error of HEAD, which has no body, is in a header.
func TestHeadErrors(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	for path, want := range map[string]string{"/photos/cat": "NoSuchKey", "/photos/cat?objectMeta": "NoSuchKey", "/nowhere/cat": "NoSuchBucket"} {
		m := w.do(t, "HEAD", path, "", nil)
		doc, err := base64.StdEncoding.DecodeString(m.header.Get("X-Oss-Err"))
		check(t, err)
		var p problem
		check(t, xml.Unmarshal(doc, &p))
		if m.status != 404 || m.body != "" || p.Code != want || p.EC == "" || p.EC != m.header.Get("X-Oss-Ec") {
			t.Errorf("%s: %d %q %v", path, m.status, m.body, p)
		}
	}
	// The header stays readable for Node, however long the signed text was.
	r := w.request(t, "HEAD", "/photos/cat?versionId="+strings.Repeat("x", 20_000), "", nil)
	m := w.send(t, w.signedAs(t, r, signature.Credentials{ID: keyID, Secret: "wrong"}, signature.Target{Bucket: "photos", Key: "cat"}))
	if n := len(m.header.Get("X-Oss-Err")); m.status != 403 || n == 0 || n > 8<<10 {
		t.Errorf("%d, x-oss-err of %d bytes", m.status, n)
	}
}

// TestStrangers sends requests that are unsigned, badly signed, too old, or of
// another account. Each gets its error and changes nothing.
func TestStrangers(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	target := signature.Target{Bucket: "photos", Key: "cat"}
	root := signature.Credentials{ID: keyID, Secret: secret}
	req := func(method, query string) *http.Request {
		return w.request(t, method, "/photos/cat"+query, "woof", nil)
	}
	sign := func(r *http.Request, c signature.Credentials, scheme signature.Scheme, skew time.Duration) message {
		check(t, signature.Sign(r, target, c, region, scheme, w.now().Add(skew)))
		return w.send(t, r)
	}
	for _, method := range []string{"PUT", "DELETE", "POST"} {
		query := ""
		if method == "POST" {
			query = "?append&position=4"
		}
		for _, scheme := range []signature.Scheme{signature.V1, signature.V4} {
			p := w.refused(t, sign(req(method, query), signature.Credentials{ID: "nobody", Secret: secret}, scheme, 0), 403, "InvalidAccessKeyId")
			if p.EC != "0002-00000902" {
				t.Errorf("EC %s", p.EC)
			}
			w.refused(t, sign(req(method, query), signature.Credentials{ID: keyID, Secret: "wrong"}, scheme, 0), 403, "SignatureDoesNotMatch")
			for _, skew := range []time.Duration{-16 * time.Minute, 16 * time.Minute} {
				w.refused(t, sign(req(method, query), root, scheme, skew), 403, "RequestTimeTooSkewed")
			}
			w.refused(t, sign(req(method, query), signature.Credentials{ID: otherID, Secret: otherPass}, scheme, 0), 403, "AccessDenied")
			w.refused(t, sign(req(method, query), signature.Credentials{ID: keyID, Secret: secret, Token: "token"}, scheme, 0), 403, "InvalidAccessKeyId")
		}
		w.refused(t, w.send(t, req(method, query)), 403, "AccessDenied")
		r := req(method, query)
		r.Header.Set("Authorization", "Basic dXNlcjpwYXNz")
		w.refused(t, w.send(t, r), 400, "InvalidArgument")
		r.Header.Set("Authorization", "OSS4-HMAC-SHA256 nonsense")
		w.refused(t, w.send(t, r), 400, "InvalidArgument")
	}
	if m := w.do(t, "GET", "/photos/cat", "", nil); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
	// The reply to a wrong signature contains, escaped, what the server signed.
	r := w.request(t, "GET", "/photos/cat?prefix=%3Cb%3E", "", map[string]string{"X-Oss-Meta-A": "<script>&"})
	m := sign(r, signature.Credentials{ID: keyID, Secret: "wrong"}, signature.V4, 0)
	if strings.Contains(m.body, "<script>") || !strings.Contains(m.body, "&lt;script&gt;&amp;") || !strings.Contains(m.body, "<StringToSign>OSS4-HMAC-SHA256") {
		t.Errorf("%s", m.body)
	}
	if strings.Contains(m.body, secret) || strings.Contains(w.log.String(), secret) {
		t.Error("a secret is told")
	}

	// Keys that were valid once.
	key, err := w.access.CreateKey(account, "")
	check(t, err)
	check(t, w.access.SetKeyDisabled(key.ID, true))
	w.refused(t, sign(req("GET", ""), signature.Credentials{ID: key.ID, Secret: key.Secret}, signature.V4, 0), 403, "InvalidAccessKeyId")

	// A missing bucket is reported before an unknown key, except by the inventory
	// operations.
	unknown := signature.Credentials{ID: "nobody", Secret: "x"}
	for path, code := range map[string]string{
		"/nowhere/cat": "NoSuchBucket", "/nowhere/?acl": "NoSuchBucket", "/nowhere/?inventory": "InvalidAccessKeyId", "/photos/?acl": "InvalidAccessKeyId",
	} {
		m := w.send(t, w.signedAs(t, w.request(t, "GET", path, "", nil), unknown, signature.Target{}))
		if got := m.problem(t).Code; got != code {
			t.Errorf("%s: %s, want %s", path, got, code)
		}
	}
	m = w.send(t, w.signedAs(t, w.request(t, "PUT", "/nowhere", "", nil), unknown, signature.Target{}))
	w.refused(t, m, 403, "InvalidAccessKeyId")
}

// TestTemporaryKeys uses a key of AssumeRole: with its token and in time only.
func TestTemporaryKeys(t *testing.T) {
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	w := newWorld(t, func(c *ossapi.Config) { c.Now = func() time.Time { return now } })
	w.bucket(t, "photos")
	_, who, err := w.access.Key(keyID, "")
	check(t, err)
	temp, err := w.access.Assume(who, ram.AssumeRole{RoleARN: "acs:ram::" + account + ":role/any", SessionName: "test"})
	check(t, err)
	get := func(token string) message {
		r := w.request(t, "GET", "/photos/", "", nil)
		return w.send(t, w.signedAs(t, r, signature.Credentials{ID: temp.AccessKeyID, Secret: temp.Secret, Token: token}, signature.Target{Bucket: "photos"}))
	}
	w.must(t, get(temp.Token), 200)
	w.refused(t, get(""), 403, "InvalidAccessKeyId")
	w.refused(t, get(temp.Token+"x"), 403, "InvalidSecurityToken")
	now = now.Add(2 * time.Hour)
	w.refused(t, get(temp.Token), 403, "SecurityTokenExpired")
}

// TestHostileNames sends names that must not reach a store, or a file system.
func TestHostileNames(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	for _, bucket := range []string{"ab", "..", "%2e%2e", "A-bucket", "-photos", "photos-", "pho_tos", "pho.tos", "pho%00tos", "pho%0Atos", strings.Repeat("a", 64), "%E7%8C%AB%E7%8C%AB", "%3Cscript%3E"} {
		for _, method := range []string{"PUT", "GET", "DELETE"} {
			m := w.refused(t, w.send(t, w.request(t, method, "/"+bucket, "", nil)), 400, "InvalidBucketName")
			if strings.Contains(m.BucketName, "\x00") {
				t.Errorf("%q", m.BucketName)
			}
			w.refused(t, w.send(t, w.request(t, method, "/"+bucket+"/key", "", nil)), 400, "InvalidBucketName")
		}
	}
	for _, key := range []string{"/cat", "%2Fcat", "%5Ccat", "%FF%FE", "%C0%AF", strings.Repeat("k", 1024), strings.Repeat("%E7%8C%AB", 342)} {
		for _, method := range []string{"PUT", "GET", "DELETE", "POST"} {
			w.refused(t, w.send(t, w.request(t, method, "/photos/"+key, "", nil)), 400, "InvalidObjectName")
		}
	}
	w.refused(t, w.send(t, w.request(t, "GET", "/photos/?prefix="+strings.Repeat("%41", 20_000), "", nil)), 400, "InvalidURI")
	w.refused(t, w.send(t, w.request(t, "GET", "/photos/?prefix=%zz", "", nil)), 400, "InvalidURI")
	w.refused(t, w.do(t, "GET", "/photos/?prefix=%FF", "", nil), 400, "InvalidURI")
	w.refused(t, w.do(t, "GET", "/photos/?prefix="+strings.Repeat("a", 1025), "", nil), 400, "InvalidArgument")

	// These are valid names.
	for _, key := range []string{"..", "../../etc/passwd", ".", "a/../b", "a//b", "a/", "%00", "con", "a%0D%0Ab", "%F0%9F%98%80", strings.Repeat("k", 1023), "%7F", "a%252Fb", "%3Fx%3D1", "-/console"} {
		w.must(t, w.do(t, "PUT", "/photos/"+key, key, nil), 200)
		if m := w.must(t, w.do(t, "GET", "/photos/"+key, "", nil), 200); m.body != key {
			t.Errorf("%s: %q", key, m.body)
		}
	}
	for _, key := range []string{"..", "../../etc/passwd", "%00"} {
		w.must(t, w.do(t, "DELETE", "/photos/"+key, "", nil), 204)
		w.gone(t, "/photos/"+key)
	}
}

// TestNothingCanBeAdded adds the sub-resource of each operation to a request that
// was signed without it. V1 signs only some parameters; no other parameter may
// select an operation.
func TestNothingCanBeAdded(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	for _, o := range ossapi.Requests() {
		method, path, sub := o[0], o[1], o[2]
		if sub == "regions" {
			continue // has the same answer for all callers
		}
		for _, scheme := range []signature.Scheme{signature.V1, signature.V4} {
			bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			r := w.request(t, method, path, "", nil)
			check(t, signature.Sign(r, signature.Target{Bucket: bucket, Key: key}, signature.Credentials{ID: keyID, Secret: secret}, region, scheme, w.now()))
			r.URL.RawQuery = sub
			if m := w.send(t, r); m.status != 403 {
				t.Errorf("%s %s?%s, signed with %v without it: %d\n%s", method, path, sub, scheme, m.status, m.body)
			}
		}
	}
}

// TestFullDisk holds that a full disk has an error of its own.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	full := newWorld(t, func(c *ossapi.Config) { c.Buckets, c.Store = bucket.New(w.store, bucket.Options{}), fullStore{w.store} })
	w.refused(t, full.do(t, "PUT", "/photos/cat", "meow", nil), 507, "InsufficientStorage")
}

type fullStore struct{ ossapi.Store }

func (fullStore) PutObject(context.Context, object.Origin, object.Put, io.Reader) (object.Info, error) {
	return object.Info{}, fmt.Errorf("write: %w", object.ErrDiskFull)
}
