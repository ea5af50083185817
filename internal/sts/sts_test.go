package sts_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/sts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "1000000000000000"
	role     = "acs:ram::1000000000000000:role/reader"
	rootID   = "root"
	rootPass = "root-secret"
	userID   = "testid"
	userPass = "testsecret"
	otherID  = "unauthorized"
)

var start = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// A world is the handler with a small directory.
type world struct {
	access  *ram.Directory
	handler http.Handler
	log     strings.Builder

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: start}
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	var err error
	w.access, err = ram.Open("", ram.Root{AccessKeyID: rootID, Secret: rootPass, Account: account}, ram.Options{Production: true, Now: clock})
	check(t, err)
	for _, u := range []struct{ name, key string }{{"alice", userID}, {"bob", otherID}, {"carol", "disabled"}} {
		_, err = w.access.CreateUser(account, u.name)
		check(t, err)
		_, err = w.access.AddKey(account, u.name, u.key, userPass)
		check(t, err)
	}
	check(t, w.access.SetKeyDisabled("disabled", true))
	check(t, w.access.AttachUserPolicy(account, "alice", "AliyunSTSAssumeRoleAccess"))
	_, err = w.access.CreateRole(account, "reader", nil, time.Hour)
	check(t, err)
	check(t, w.access.AttachRolePolicy(account, "reader", "AliyunOSSReadOnlyAccess"))
	_, err = w.access.CreateRole(account, "guarded", ram.Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["oss.aliyuncs.com"]}}]}`), 0)
	check(t, err)
	w.handler = sts.New(w.access, sts.Options{Now: clock, Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An answer is either kind of answer, parsed strictly.
type answer struct {
	status int
	header http.Header
	body   string

	RequestID string `json:"RequestId" xml:"RequestId"`
	User      struct {
		ARN string `json:"Arn" xml:"Arn"`
		ID  string `json:"AssumedRoleId" xml:"AssumedRoleId"`
	} `json:"AssumedRoleUser" xml:"AssumedRoleUser"`
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId" xml:"AccessKeyId"`
		AccessKeySecret string
		Expiration      time.Time
		SecurityToken   string
	}
	HostID                   string `json:"HostId" xml:"HostId"`
	Code, Message, Recommend string
}

func (w *world) send(t *testing.T, r *http.Request) (a answer) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a.status, a.header, a.body = rec.Code, rec.Header(), rec.Body.String()
	var err error
	switch kind := a.header.Get("Content-Type"); {
	case strings.HasPrefix(kind, "application/json"):
		d := json.NewDecoder(strings.NewReader(a.body))
		d.DisallowUnknownFields()
		err = d.Decode(&a)
	case strings.HasPrefix(kind, "text/xml"):
		err = xml.Unmarshal([]byte(a.body), &a)
	default:
		err = errors.New("content type " + kind)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, a.body)
	}
	if !regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`).MatchString(a.RequestID) || a.RequestID != a.header.Get("X-Acs-Request-Id") {
		t.Errorf("request id %q, in the header %q", a.RequestID, a.header.Get("X-Acs-Request-Id"))
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	return a
}

var nonce int

// params returns the parameters of a valid call, with changes.
func params(change ...string) url.Values {
	p := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2015-04-01"}, "Format": {"JSON"},
		"RoleArn": {role}, "RoleSessionName": {"session"},
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			p.Del(change[i])
		} else {
			p.Set(change[i], change[i+1])
		}
	}
	return p
}

// sign signs a call of the user at the time of the world.
func (w *world) sign(method string, p url.Values, c signature.Credentials) url.Values {
	nonce++
	signature.SignRPC(method, p, c, w.now, fmt.Sprint("nonce-", nonce))
	return p
}

var alice = signature.Credentials{ID: userID, Secret: userPass}

func get(p url.Values) *http.Request {
	return httptest.NewRequest("GET", "http://sts.aliyuncs.com/?"+p.Encode(), nil)
}

func post(query, form url.Values) *http.Request {
	r := httptest.NewRequest("POST", "http://localhost:9000/?"+query.Encode(), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	return r
}

// The signatures were computed as documented, with the library of another language.
func TestVectors(t *testing.T) {
	common := map[string]string{
		"Action": "AssumeRole", "Version": "2015-04-01", "AccessKeyId": userID, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"Timestamp": "2026-01-05T12:00:00Z", "RoleArn": role,
	}
	for _, tt := range []struct {
		method string
		params map[string]string
	}{
		{"GET", map[string]string{
			"SignatureNonce": "Nonce-1", "Format": "JSON", "RoleSessionName": "oss_test_sess", "DurationSeconds": "3600",
			"Signature": "1YzJmrqpdE870hxi5/RfGjODjTA=",
		}},
		{"POST", map[string]string{
			"SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "RoleSessionName": "alice@b.c", "RegionId": "a b+c*~",
			"Policy":    `{"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["oss:*"], "Resource": ["acs:oss:*:*:*"]}]}`,
			"Signature": "qAjF60ZJaG28esX7jBvJO1ycowE=",
		}},
	} {
		w := newWorld(t)
		p := url.Values{}
		for _, m := range []map[string]string{common, tt.params} {
			for name, value := range m {
				p.Set(name, value)
			}
		}
		r := get(p)
		if tt.method == "POST" {
			r = post(nil, p)
		}
		if a := w.send(t, r); a.status != 200 {
			t.Errorf("%s: %d\n%s", tt.method, a.status, a.body)
		}
	}
}

func TestAssumeRole(t *testing.T) {
	for _, format := range []string{"JSON", "XML", "", "json"} {
		for _, how := range []string{"query", "form", "both"} {
			t.Run(format+" by "+how, func(t *testing.T) {
				w := newWorld(t)
				method := "POST"
				if how == "query" {
					method = "GET"
				}
				p := w.sign(method, params("Format", format, "DurationSeconds", "900"), alice)
				var r *http.Request
				switch how {
				case "query":
					r = get(p)
				case "form":
					r = post(nil, p)
				case "both": // as the official client of STS sends it
					form := url.Values{}
					for _, name := range []string{"RoleArn", "RoleSessionName", "DurationSeconds"} {
						form.Set(name, p.Get(name))
						p.Del(name)
					}
					r = post(p, form)
				}
				a := w.send(t, r)
				if a.status != 200 {
					t.Fatalf("%d\n%s", a.status, a.body)
				}
				if isJSON := strings.HasPrefix(a.body, "{"); isJSON != strings.EqualFold(format, "JSON") {
					t.Errorf("format %s:\n%s", format, a.body)
				}
				c := a.Credentials
				if !strings.HasPrefix(c.AccessKeyID, "STS.") || !c.Expiration.Equal(start.Add(15*time.Minute)) ||
					a.User.ARN != role+"/session" || !strings.HasSuffix(a.User.ID, ":session") {
					t.Errorf("%+v", a)
				}
				secret, who, err := w.access.Key(c.AccessKeyID, c.SecurityToken)
				check(t, err)
				if secret != c.AccessKeySecret || who.ARN != a.User.ARN {
					t.Errorf("the key is that of %s", who)
				}
				if strings.Contains(w.log.String(), c.AccessKeySecret) || strings.Contains(w.log.String(), c.SecurityToken) {
					t.Errorf("secrets in the log:\n%s", &w.log)
				}
				if !strings.Contains(w.log.String(), role) {
					t.Errorf("not in the log:\n%s", &w.log)
				}
			})
		}
	}
}

// The XML of the reference.
func TestXML(t *testing.T) {
	w := newWorld(t)
	a := w.send(t, get(w.sign("GET", params("Format", "XML"), alice)))
	order := []string{
		"<?xml version='1.0' encoding='UTF-8'?><AssumeRoleResponse><RequestId>", "</RequestId><AssumedRoleUser><Arn>", "</Arn><AssumedRoleId>",
		"</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>", "</AccessKeyId><AccessKeySecret>", "</AccessKeySecret><Expiration>2026-01-05T13:00:00Z</Expiration><SecurityToken>",
		"</SecurityToken></Credentials></AssumeRoleResponse>",
	}
	rest := a.body
	for _, part := range order {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("no %s in\n%s", part, a.body)
		}
		rest = after
	}
	a = w.send(t, get(w.sign("GET", params("Format", "XML", "RoleArn", ""), alice)))
	if !strings.HasPrefix(a.body, "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>") || a.HostID != "sts.aliyuncs.com" || a.Recommend == "" {
		t.Errorf("%s", a.body)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 60<<10)
	signed := func(change ...string) *http.Request { return get(w.sign("GET", params(change...), alice)) }
	as := func(c signature.Credentials, change ...string) *http.Request {
		return get(w.sign("GET", params(change...), c))
	}
	at := func(d time.Duration) *http.Request {
		p := params()
		nonce++
		signature.SignRPC("GET", p, alice, w.now.Add(d), fmt.Sprint("nonce-", nonce))
		return get(p)
	}
	changed := func(name, value string) *http.Request {
		p := w.sign("GET", params(), alice)
		if p.Set(name, value); value == "" {
			p.Del(name)
		}
		return get(p)
	}
	body := func(kind, text string) *http.Request {
		r := httptest.NewRequest("POST", "http://sts.aliyuncs.com/", strings.NewReader(text))
		r.Header.Set("Content-Type", kind)
		return r
	}
	chunked := body("application/x-www-form-urlencoded", "a="+long)
	chunked.ContentLength = -1
	const form = "application/x-www-form-urlencoded"

	for _, tt := range []struct {
		name   string
		r      *http.Request
		status int
		code   string
	}{
		{"nothing", httptest.NewRequest("GET", "http://sts.aliyuncs.com/", nil), 400, "MissingAction"},
		{"another method", httptest.NewRequest("PUT", "http://sts.aliyuncs.com/", nil), 405, "UnsupportedHTTPMethod"},
		{"another path", httptest.NewRequest("GET", "http://sts.aliyuncs.com/x?Action=AssumeRole", nil), 404, "InvalidAction.NotFound"},
		{"another action", signed("Action", "GetCallerIdentity"), 404, "InvalidAction.NotFound"},
		{"no version", signed("Version", ""), 400, "MissingVersion"},
		{"another version", signed("Version", "2014-05-26"), 400, "InvalidVersion"},
		{"another format", signed("Format", "YAML"), 400, "InvalidParameter.Format"},
		{"bad escapes", httptest.NewRequest("GET", "http://sts.aliyuncs.com/?Action=%zz", nil), 400, "InvalidParameter"},
		{"a parameter twice", post(w.sign("POST", params(), alice), url.Values{"RoleArn": {role}}), 400, "InvalidParameter"},
		{"many parameters", httptest.NewRequest("GET", "http://sts.aliyuncs.com/?"+strings.Repeat("a&", 5000), nil), 413, "InvalidParameter"},
		{"a long form", body(form, "a="+long), 413, "InvalidParameter"},
		{"a long form of unknown length", chunked, 413, "InvalidParameter"},
		{"no form", body("application/json", `{"Action":"AssumeRole"}`), 400, "MissingAction"},

		{"no key", changed("AccessKeyId", ""), 400, "MissingAccessKeyId"},
		{"no signature", changed("Signature", ""), 400, "MissingSignature"},
		{"no nonce", changed("SignatureNonce", ""), 400, "MissingSignatureNonce"},
		{"another signature method", changed("SignatureMethod", "HMAC-SHA256"), 400, "InvalidParameter.SignatureMethod"},
		{"no time", changed("Timestamp", "yesterday"), 400, "InvalidTimeStamp.Format"},
		{"a wrong secret", as(signature.Credentials{ID: userID, Secret: "wrong"}), 400, "SignatureDoesNotMatch"},
		{"changed after it was signed", changed("RoleSessionName", "mallory"), 400, "SignatureDoesNotMatch"},
		{"signed for the other method", post(w.sign("GET", params(), alice), nil), 400, "SignatureDoesNotMatch"},
		{"too old", at(-16 * time.Minute), 400, "InvalidTimeStamp.Expired"},
		{"too young", at(16 * time.Minute), 400, "InvalidTimeStamp.Expired"},
		{"an unknown key", as(signature.Credentials{ID: "nobody", Secret: "x"}), 404, "InvalidAccessKeyId.NotFound"},
		{"a disabled key", as(signature.Credentials{ID: "disabled", Secret: userPass}), 403, "InvalidAccessKeyId.Inactive"},
		{"a temporary key without its token", as(signature.Credentials{ID: "STS.x", Secret: "x"}), 400, "MissingSecurityToken"},
		{"a forged token", as(signature.Credentials{ID: "STS.x", Secret: "x", Token: "x"}), 400, "InvalidSecurityToken.Malformed"},

		{"no role", signed("RoleArn", ""), 400, "MissingRoleArn"},
		{"no session", signed("RoleSessionName", ""), 400, "MissingRoleSessionName"},
		{"the ARN of a user", signed("RoleArn", "acs:ram::1000000000000000:user/alice"), 400, "InvalidParameter.RoleArn"},
		{"a bad session name", signed("RoleSessionName", "a b"), 400, "InvalidParameter.RoleSessionName"},
		{"a short session name", signed("RoleSessionName", "a"), 400, "InvalidParameter.RoleSessionName"},
		{"too short", signed("DurationSeconds", "899"), 400, "InvalidParameter.DurationSeconds"},
		{"too long", signed("DurationSeconds", "3601"), 400, "InvalidParameter.DurationSeconds"},
		{"no time at all", signed("DurationSeconds", "0"), 400, "InvalidParameter.DurationSeconds"},
		{"longer than there is", signed("DurationSeconds", "99999999999999999999"), 400, "InvalidParameter.DurationSeconds"},
		{"no number", signed("DurationSeconds", "1h"), 400, "InvalidParameter.DurationSeconds"},
		{"a bad policy", signed("Policy", "{"), 400, "InvalidParameter.PolicyGrammar"},
		{"a long policy", signed("Policy", strings.Repeat(" ", 2049)), 400, "InvalidParameter.PolicySize"},
		{"an unknown role", signed("RoleArn", "acs:ram::1000000000000000:role/nobody"), 404, "EntityNotExist.Role"},
		{"a role that does not trust the caller", signed("RoleArn", "acs:ram::1000000000000000:role/guarded"), 403, "NoPermission"},
		{"a caller without the right", as(signature.Credentials{ID: otherID, Secret: userPass}), 403, "NoPermission"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.send(t, tt.r)
			if a.status != tt.status || a.Code != tt.code || a.Message == "" || a.HostID != tt.r.Host || !strings.Contains(a.Recommend, tt.code) {
				t.Errorf("%d %s, want %d %s\n%s", a.status, a.Code, tt.status, tt.code, a.body)
			}
			if a.Credentials.AccessKeyID != "" || strings.Contains(a.body, userPass) {
				t.Errorf("it reveals secrets:\n%s", a.body)
			}
		})
	}
	if strings.Contains(w.log.String(), userPass) {
		t.Error("a secret in the log")
	}
}

// A call is accepted once, whoever repeats it, until it has expired anyway.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	p := w.sign("GET", params(), alice)
	if a := w.send(t, get(p)); a.status != 200 {
		t.Fatal(a.body)
	}
	for _, d := range []time.Duration{0, 7 * time.Minute, 8 * time.Minute} {
		w.now = w.now.Add(d)
		if a := w.send(t, get(p)); a.status != 400 || a.Code != "SignatureNonceUsed" {
			t.Errorf("at %s: %d %s", w.now, a.status, a.Code)
		}
	}
	w.now = w.now.Add(time.Minute)
	if a := w.send(t, get(p)); a.Code != "InvalidTimeStamp.Expired" {
		t.Errorf("%s", a.Code)
	}
	again := params()
	signature.SignRPC("GET", again, alice, w.now, p.Get("SignatureNonce"))
	if a := w.send(t, get(again)); a.status != 200 {
		t.Errorf("a nonce is never good again: %s", a.body)
	}
	other := params()
	signature.SignRPC("GET", other, signature.Credentials{ID: rootID, Secret: rootPass}, w.now, p.Get("SignatureNonce"))
	if a := w.send(t, get(other)); a.status != 200 {
		t.Errorf("a nonce of another key was refused as used: %s", a.body)
	}
}

// A role can be assumed with the key of another role.
func TestChain(t *testing.T) {
	w := newWorld(t)
	a := w.send(t, get(w.sign("GET", params(), alice)))
	check(t, w.access.AttachRolePolicy(account, "reader", "AliyunSTSAssumeRoleAccess"))
	c := signature.Credentials{ID: a.Credentials.AccessKeyID, Secret: a.Credentials.AccessKeySecret, Token: a.Credentials.SecurityToken}
	if b := w.send(t, get(w.sign("GET", params(), c))); b.status != 200 {
		t.Fatal(b.body)
	}
	w.now = w.now.Add(time.Hour)
	if b := w.send(t, get(w.sign("GET", params(), c))); b.Code != "InvalidSecurityToken.Expired" {
		t.Errorf("%s", b.body)
	}
}

// unread fails the test if it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) { u.t.Error("the body was read"); return 0, io.EOF }

func TestIs(t *testing.T) {
	for _, tt := range []struct {
		method, host, uri, kind, auth string
		want                          bool
	}{
		{"GET", "sts.aliyuncs.com", "/?Action=AssumeRole", "", "", true},
		{"GET", "STS.Aliyuncs.com:443", "/anything", "", "", true},
		{"POST", "sts.cn-hangzhou.aliyuncs.com", "/", "", "", true},
		{"POST", "sts-vpc.cn-hangzhou.aliyuncs.com.", "/", "", "", true},
		{"GET", "sts.oss-cn-hangzhou.aliyuncs.com", "/", "", "", false}, // a bucket
		{"GET", "sts.example.com", "/", "", "", false},
		{"GET", "sts", "/", "", "", false},
		{"GET", "stsx.aliyuncs.com", "/", "", "", false},
		{"GET", "sts.a.b.aliyuncs.com", "/", "", "", false},
		{"GET", "sts..aliyuncs.com", "/", "", "", false},

		{"GET", "localhost:9000", "/?Format=JSON&Action=AssumeRole&Version=2015-04-01", "", "", true},
		{"POST", "127.0.0.1:9000", "/?Action=AssumeRole", "", "", true},
		{"POST", "localhost", "/", "application/x-www-form-urlencoded", "", true},
		{"POST", "localhost", "/", "application/x-www-form-urlencoded; charset=utf-8", "", true},
		{"GET", "localhost", "/", "", "", false},
		{"GET", "localhost", "/?Action=AssumeRoles", "", "", false},
		{"GET", "localhost", "/?prefix=Action=AssumeRole", "", "", false},
		{"GET", "localhost", "/bucket?Action=AssumeRole", "", "", false},
		{"PUT", "localhost", "/?Action=AssumeRole", "", "", false},
		{"POST", "localhost", "/?delete", "application/x-www-form-urlencoded", "", false},
		{"POST", "localhost", "/", "multipart/form-data; boundary=x", "", false},
		{"POST", "localhost", "/", "application/x-www-form-urlencoded", "OSS x:y", false},
		{"POST", "localhost", "/bucket", "application/x-www-form-urlencoded", "", false},
		{"POST", "localhost", "/", "", "", false},
	} {
		r := httptest.NewRequest(tt.method, "http://localhost"+tt.uri, unread{t})
		r.Host = tt.host
		for name, value := range map[string]string{"Content-Type": tt.kind, "Authorization": tt.auth} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := sts.Is(r); got != tt.want {
			t.Errorf("%s %s%s %s %s: %v", tt.method, tt.host, tt.uri, tt.kind, tt.auth, got)
		}
	}
}

func BenchmarkIs(b *testing.B) {
	r := httptest.NewRequest("GET", "http://bucket.oss-cn-hangzhou.aliyuncs.com/a/key?versionId=x", nil)
	b.ReportAllocs()
	for b.Loop() {
		sts.Is(r)
	}
}
