package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/stocktaketest"
)

type line map[string]any

// linesOf waits until a log in JSON has enough lines, because lines of the access log are
// written after the answer.
func linesOf(t *testing.T, path string, enough func([]line) bool) (all []line) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		all = nil
		for s := bufio.NewScanner(f); s.Scan(); {
			var l line
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				break // it is being written
			}
			all = append(all, l)
		}
		f.Close()
		if enough(all) {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has only %v", path, all)
		}
		runtime.Gosched()
	}
}

func withLogs(access, audit string) stocktaketest.Option {
	return func(c *server.Config) { c.AccessLog, c.AuditLog, c.LogFormat = access, audit, logs.FormatJSON }
}

func find(all []line, want line) line {
	i := slices.IndexFunc(all, func(l line) bool {
		for name, value := range want {
			if l[name] != value {
				return false
			}
		}
		return true
	})
	if i < 0 {
		return nil
	}
	return all[i]
}

// get sends a request unchanged.
func get(t *testing.T, method, url string) (status int, id string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("x-oss-request-id")
}

// The access log states who did what, and contains nothing with which a request could be
// repeated.
func TestAccessLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	s := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"), withLogs(path, ""))
	put(t, s, "photos", "cat")
	signed, err := s.Client().Presign(t.Context(), &oss.GetObjectRequest{Bucket: oss.Ptr("photos"), Key: oss.Ptr("cat")})
	if err != nil {
		t.Fatal(err)
	}
	status, id := get(t, "GET", signed.URL)
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	forged := strings.Replace(signed.URL, "cat?", "dog?", 1)
	if status, _ := get(t, "GET", forged); status != 403 {
		t.Errorf("a forged URL: status %d", status)
	}
	get(t, "GET", s.Endpoint+"/photos/cat")
	get(t, "GET", s.Endpoint+"/-/readyz")
	get(t, "GET", s.Endpoint+"/-/made-up")
	get(t, "POST", s.Endpoint+"/-/notices")
	get(t, "POST", s.Endpoint+"/?Action=AssumeRole&Version=2015-04-01&SecurityToken=CAISverysecret")

	all := linesOf(t, path, func(all []line) bool { return find(all, line{"operation": "AssumeRole"}) != nil })
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []line{
		{"operation": "PutObject", "principal": s.AccountID, "key_id": s.AccessKeyID, "bucket": "photos", "key": "cat", "status": 200., "code": "", "in": 3.},
		{"operation": "GetObject", "principal": s.AccountID, "request": id, "status": 200., "out": 3., "address": "127.0.0.1", "method": "GET"},
		{"principal": "", "key_id": s.AccessKeyID, "key": "dog", "status": 403., "code": "SignatureDoesNotMatch"},
		{"operation": "GetObject", "principal": "anonymous", "key_id": "", "status": 403., "code": "AccessDenied"},
		{"operation": "GET /-/readyz", "status": 200.},
		{"operation": "GET unknown", "status": 404.},
		{"operation": "POST /-/notices", "status": 403., "principal": ""},
		{"operation": "AssumeRole", "principal": ""},
	} {
		if find(all, want) == nil {
			t.Errorf("no line %v in\n%s", want, text)
		}
	}
	for _, secret := range []string{s.AccessKeySecret, "CAISverysecret", signed.URL[strings.Index(signed.URL, "x-oss-signature=")+len("x-oss-signature="):][:64]} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the log has the secret %s:\n%s", secret, text)
		}
	}
}

// Every change of a bucket or a configuration has one line that states who made it, and the
// state before and after.
func TestAuditLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	s := stocktaketest.New(t, stocktaketest.WithBuckets("reports"), withLogs("", path))
	c := s.Client()
	ctx := t.Context()
	photos := oss.Ptr("photos")
	try := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(c.PutBucket(ctx, &oss.PutBucketRequest{Bucket: photos}))
	try(c.PutBucket(ctx, &oss.PutBucketRequest{Bucket: photos})) // changes nothing
	try(c.PutBucketRequestPayment(ctx, &oss.PutBucketRequestPaymentRequest{Bucket: photos, PaymentConfiguration: &oss.RequestPaymentConfiguration{Payer: oss.Requester}}))
	inventories := s.Inventories()
	if err := inventories.Put(ctx, "photos", configuration(s, "daily", "reports")); err != nil {
		t.Fatal(err)
	}
	try(inventories.Suspend(ctx, "photos", "daily"))
	if err := inventories.Delete(ctx, "photos", "daily"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "photos", "cat") // no change of settings
	try(c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: photos, Key: oss.Ptr("cat")}))
	try(c.DeleteBucket(ctx, &oss.DeleteBucketRequest{Bucket: photos}))

	all := linesOf(t, path, func([]line) bool { return true })
	var said []string
	for _, l := range all {
		said = append(said, l["msg"].(string))
		if l["principal"] != s.AccountID || l["bucket"] != "photos" || l["address"] != "127.0.0.1" || len(l["request"].(string)) != 24 {
			t.Errorf("%v", l)
		}
	}
	want := []string{
		"bucket created", "bucket settings changed", "inventory configuration put", "inventory configuration suspended", "inventory configuration deleted", "bucket deleted",
	}
	if !slices.Equal(said, want) {
		t.Fatalf("%q, want %q", said, want)
	}
	digest := func(i int, name string) string {
		text, _ := all[i][name].(string)
		if !strings.HasPrefix(text, "sha256:") || len(text) != 71 {
			t.Errorf("line %v: %s is not a digest", all[i], name)
		}
		return text
	}
	if digest(0, "after") != digest(1, "before") || digest(1, "after") == digest(1, "before") || digest(1, "after") != digest(5, "before") {
		t.Errorf("the digests of the bucket do not follow each other: %v", all)
	}
	if digest(2, "after") != digest(3, "before") || digest(3, "after") == digest(3, "before") || digest(3, "after") != digest(4, "before") {
		t.Errorf("the digests of the configuration do not follow each other: %v", all)
	}
}

// The access log states which pages of the console were requested, by whom, and which requests
// they made to the API. A sign-in link in the log does not work.
func TestAccessLogOfTheConsole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	s := serve(t, server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Buckets: []string{"photos"},
		AccessLog: path, LogFormat: logs.FormatJSON, Log: slog.New(slog.DiscardHandler),
	})
	console, who := s.ConsoleURL(), s.Config().AccountID
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	see := func(url string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Jar: jar}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	link := s.SignInLink()
	see(link)
	see(console + "/buckets/photos?find=x")
	see(console + "/nothing")
	all := linesOf(t, path, func(all []line) bool { return find(all, line{"operation": "ConsoleUnknown"}) != nil })
	for _, want := range []line{
		{"operation": "ConsoleEnterByLink", "query": "once=REDACTED", "status": 200.},
		{"operation": "ConsoleBucket", "principal": who, "bucket": "photos", "query": "find=x", "status": 200., "method": "GET"},
		{"operation": "GetInventoryStatus", "principal": who, "bucket": "photos"},
		{"operation": "ConsoleUnknown", "status": 404.},
	} {
		if find(all, want) == nil {
			t.Errorf("no line %v in %v", want, all)
		}
	}
	_, secret, _ := strings.Cut(link, "once=")
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), secret) {
		t.Errorf("the log has the link, or cannot be read: %v", err)
	}
}

// On a full disk requests are answered, and the lines that the logs have lost are counted.
func TestLogsOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	s := stocktaketest.New(t, withLogs("/dev/full", "/dev/full"))
	if _, err := s.Client().PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: oss.Ptr("photos")}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "photos", "cat")
	for ctx, stop := context.WithTimeout(t.Context(), 20*time.Second); ; {
		_, text := scrape(t, s.Endpoint+"/-/metrics", "")
		if strings.Contains(text, `stocktake_log_dropped_lines_total{log="audit"} 1`) && !strings.Contains(text, `stocktake_log_dropped_lines_total{log="access"} 0`) {
			stop()
			return
		}
		if ctx.Err() != nil {
			stop()
			t.Fatal("no lost lines are counted")
		}
	}
}

func TestLogsAreOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	access, audit := filepath.Join(dir, "access.log"), filepath.Join(dir, "audit.log")
	s := serve(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", AccessLog: access, AuditLog: audit, LogFormat: logs.FormatJSON, Log: slog.New(slog.DiscardHandler)})
	get(t, "GET", s.Endpoint()+"/-/healthz")
	for _, path := range []string{access, audit} {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	get(t, "GET", s.Endpoint()+"/-/readyz")
	linesOf(t, access, func(all []line) bool { return find(all, line{"operation": "GET /-/readyz"}) != nil })
	if _, err := os.Stat(audit); err != nil {
		t.Error(err)
	}
}
