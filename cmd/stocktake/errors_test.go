package main

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/server"
)

// Arguments that would mean something else than they say are refused in words.
func TestRefusedArguments(t *testing.T) {
	t.Setenv("OSS_ACCESS_KEY_ID", "id")
	t.Setenv("OSS_ACCESS_KEY_SECRET", "secret")
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"the address is empty", []string{"report", "ls", ""}},
		{"the address is empty", []string{"report", "cat", ""}},
		{"the address is empty", []string{"report", "verify", "--all", ""}},
		{"the address is empty", []string{"report", "diff", "", "x"}},
		{"the target is empty", []string{"object", "get", "oss://photos/a", ""}},
		{"a source is empty", []string{"object", "put", "", "oss://photos/a"}},
		{"--max-runs: at least 1", []string{"serve", "--check", "--max-runs", "-1"}},
		{"--spread: at least 0", []string{"serve", "--check", "--spread", "-1s"}},
		{`"a" is given twice`, []string{"serve", "--check", "--webhook", "a=http://x;a=http://y"}},
		{`"a" is given twice`, []string{"serve", "--check", "--webhook", "a=http://x", "--webhook", "b=http://y;a=http://y"}},
	} {
		var out, errs bytes.Buffer
		if code := runArgs(t, tt.args, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%q: exit code %d, %s", tt.args, code, errs.String())
		}
	}
}

// A conversion that fails leaves no folder that it made, and one that was there.
func TestFailedConversion(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "daily", "2026-01-01T00-00Z")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	manifest := `{"creationTimestamp":"1767225600","destinationBucket":"reports","fileFormat":"CSV","fileSchema":"Bucket, Key",` +
		`"files":[{"MD5checksum":"0123456789ABCDEF0123456789ABCDEF","key":"p/b/daily/data/x.csv.gz","size":10}],"sourceBucket":"b","version":"2019-09-01"}`
	if err := os.WriteFile(filepath.Join(folder, "manifest.json"), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(dir, "there")
	if err := os.Mkdir(there, 0o755); err != nil {
		t.Fatal(err)
	}
	for to, stays := range map[string]bool{filepath.Join(dir, "made"): false, there: true} {
		var out, errs bytes.Buffer
		if code := runArgs(t, []string{"report", "convert", filepath.Join(dir, "daily"), to}, &out, &errs); code != exitFailed {
			t.Errorf("exit code %d, %s", code, errs.String())
		}
		if _, err := os.Stat(to); (err == nil) != stays {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// What keeps an answer away is said with what to correct.
func TestExplainNoAnswer(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	plain, secure := httptest.NewServer(answer), httptest.NewUnstartedServer(answer)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it would report the handshakes that are meant to fail
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for endpoint, want := range map[string]string{
		"http://" + gone.Addr().String():                "is the server running (stocktake serve)",
		strings.Replace(plain.URL, "http", "https", 1):  "use --endpoint http://",
		strings.Replace(secure.URL, "https", "http", 1): "use --endpoint https://",
		secure.URL: "SSL_CERT_FILE",
	} {
		oc, err := newOSSClient(endpoint, "cn-hangzhou", true, server.AccessKey{ID: "id", Secret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = oc.GetBucketInfo(t.Context(), &oss.GetBucketInfoRequest{Bucket: oss.Ptr("photos")}, func(o *oss.Options) { o.RetryMaxAttempts = oss.Ptr(1) })
		if err = explain(err, "look"); !strings.HasPrefix(err.Error(), "look: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q; want %q in it", endpoint, err, want)
		}
	}
}

// An answer that is not one of OSS, such as that of another program, or of a server without the role
// api, is said to be so, with what it says.
func TestExplainForeignAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"page":       {http.StatusOK, "<html><meta></html>", "the answer is not one of OSS; is --endpoint right?"},
		"error page": {http.StatusNotFound, "<!DOCTYPE HTML>\n<html>", "the answer is not one of OSS; is --endpoint right? status 404: <!DOCTYPE HTML>"},
		"no role":    {http.StatusServiceUnavailable, "this server answers no requests\n", "status 503: this server answers no requests"},
		"nothing":    {http.StatusTeapot, "", "status 418"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		defer s.Close()
		oc, err := newOSSClient(s.URL, "cn-hangzhou", true, server.AccessKey{ID: "id", Secret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = oc.ListBuckets(t.Context(), &oss.ListBucketsRequest{}, func(o *oss.Options) { o.RetryMaxAttempts = oss.Ptr(1) })
		err = explain(err, "look")
		if !strings.HasPrefix(err.Error(), "look: ") || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "parse xml") {
			t.Errorf("%s: %q; want %q in it", name, err, c.want)
		}
	}
}

// Input that no server need be asked about is the command line's fault.
func TestExplainInvalidArgument(t *testing.T) {
	oc, err := newOSSClient("http://127.0.0.1:1", "cn-hangzhou", true, server.AccessKey{ID: "id", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := demoConfiguration("1000000000000000")
	cfg.OptionalFields = []stocktake.Field{stocktake.FieldKey}
	err = explain(client.New(oc).Put(t.Context(), "photos", cfg), "put")
	if _, ok := errors.AsType[usageError](err); !ok {
		t.Errorf("%v is not a usageError", err)
	}
}

// What strangers choose does nothing to a terminal, nor to a table.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"a b/ü 日本":      "a b/ü 日本",
		"\x1b[31mred/":  `\x1b[31mred/`,
		"line\nbreak\t": `line\nbreak\t`,
		"\xff\uFFFD":    "\\xff\uFFFD",
		"\u202e.txt":    `\u202e.txt`,
		"\u0085":        `\u0085`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) is %q, want %q", in, got, want)
		}
	}
}

// The parser would take an invalid byte for a character.
func TestArgumentsAreUTF8(t *testing.T) {
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"inventory", "put", "-b", "photos", "-i", "\xff"}, console{&out, &errs}); code != exitUsage || !strings.Contains(errs.String(), "argument 6 is not UTF-8") {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}
