package console_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/server"
)

const (
	rootKey    = "LTAIroot"
	rootSecret = "root-secret"
	account    = server.DefaultAccount
)

// A world is a server with a console.
type world struct {
	server  *server.Server
	console string // URL
	oss     *oss.Client
	client  *client.Client
}

// newWorld starts a server with the buckets photos and reports, and with the
// accounts that access declares as YAML; empty: only the root.
func newWorld(t *testing.T, access string, options ...func(*server.Config)) *world {
	t.Helper()
	cfg := server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Buckets: []string{"photos", "reports"},
		RootKey: server.AccessKey{ID: rootKey, Secret: rootSecret}, ClockControl: true,
		Webhooks: map[string]string{"ops": "http://127.0.0.1:1/hook"},
		Log:      slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if access != "" {
		cfg.AccessFile = filepath.Join(t.TempDir(), "access.yaml")
		if err := os.WriteFile(cfg.AccessFile, []byte(access), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, option := range options {
		option(&cfg)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.New(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	w := &world{server: s, console: s.ConsoleURL()}
	w.oss = w.as(rootKey, rootSecret)
	w.client = client.New(w.oss)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// as returns a client of the API with a key.
func (w *world) as(id, secret string) *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().WithRegion(server.DefaultRegion).WithEndpoint(w.server.Endpoint()).WithHttpClient(client.NewHTTPClient()).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, secret)))
}

// put puts objects whose content is their key.
func (w *world) put(t *testing.T, bucket string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := w.oss.PutObject(t.Context(), &oss.PutObjectRequest{Bucket: &bucket, Key: &key, Body: strings.NewReader(key)}); err != nil {
			t.Fatal(err)
		}
	}
}

// configuration returns a valid configuration of the bucket photos.
func configuration(id string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Daily}, IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldStorageClass},
		Destination:    stocktake.Destination{Format: "CSV", AccountID: account, RoleARN: "acs:ram::" + account + ":role/writer", Bucket: "reports", Prefix: "inv"},
	}
}

// inventory puts a configuration and waits for its first run.
func (w *world) inventory(t *testing.T, cfg stocktake.InventoryConfiguration) stocktake.Run {
	t.Helper()
	if err := w.client.Put(t.Context(), "photos", cfg); err != nil {
		t.Fatal(err)
	}
	return w.wait(t, cfg.ID)
}

// wait waits for the newest run of a configuration.
func (w *world) wait(t *testing.T, id string) stocktake.Run {
	t.Helper()
	return w.waitIn(t, "photos", id)
}

// waitIn is wait for another bucket.
func (w *world) waitIn(t *testing.T, bucket, id string) stocktake.Run {
	t.Helper()
	runs, err := w.client.Runs(t.Context(), bucket, id)
	if err != nil || len(runs) == 0 {
		t.Fatal(runs, err)
	}
	run, err := w.client.Wait(t.Context(), runs[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// A browser keeps cookies and behaves like a browser towards other origins.
type browser struct {
	*http.Client
	base string
}

// An answer is a browser's answer.
type answer struct {
	status int
	body   string
	header http.Header
	url    string // after redirects
}

func (w *world) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar}, w.console}
}

// signedIn returns a browser that has signed in with a key.
func (w *world) signedIn(t *testing.T, key, secret string) *browser {
	t.Helper()
	b := w.browser(t)
	if a := b.send(t, "POST", "/sign-in", url.Values{"key": {key}, "secret": {secret}}); strings.Contains(a.url, "/sign-in") || a.status == http.StatusForbidden && strings.Contains(a.body, "Access key secret") {
		t.Fatalf("sign in as %s: %d %s", key, a.status, a.url)
	}
	return b
}

func (b *browser) send(t *testing.T, method, path string, form url.Values, headers ...string) answer {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, b.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method == http.MethodPost {
		r.Header.Set("Origin", b.base)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, string(text), resp.Header, resp.Request.URL.RequestURI()}
}

// begin opens a stream of events and leaves after the first one.
func (b *browser) begin(t *testing.T, path string) answer {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var first strings.Builder
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && lines.Text() != "" {
		first.WriteString(lines.Text() + "\n")
	}
	return answer{resp.StatusCode, first.String(), resp.Header, resp.Request.URL.RequestURI()}
}

func (b *browser) get(t *testing.T, path string) answer {
	t.Helper()
	return b.send(t, "GET", path, nil)
}

// see gets a page, which must exist.
func (b *browser) see(t *testing.T, path string) string {
	t.Helper()
	a := b.get(t, path)
	if a.status != http.StatusOK {
		t.Fatalf("GET %s: %d\n%s", path, a.status, a.body)
	}
	return a.body
}

var csrfPattern = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf returns a token that forms carry.
func (b *browser) csrf(t *testing.T) string {
	t.Helper()
	m := csrfPattern.FindStringSubmatch(b.get(t, "/nowhere").body)
	if m == nil {
		t.Fatal("no page has a form")
	}
	return m[1]
}

// post sends a form with a token.
func (b *browser) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set("csrf", b.csrf(t))
	return b.send(t, "POST", path, form)
}

// want fails the test unless text has all parts.
func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in\n%s", p, text)
		}
	}
}

func user(name, policy string) string {
	return fmt.Sprintf("{name: %s, policies: [%s], keys: [{id: LTAI%s, secret: secret-of-%s}]}", name, policy, name, name)
}

// declare changes the declared accounts.
func (w *world) declare(t *testing.T, access string) {
	t.Helper()
	if err := os.WriteFile(w.server.Config().AccessFile, []byte(access), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Reload(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) admin() *client.Admin {
	return &client.Admin{Endpoint: w.server.Endpoint(), Region: server.DefaultRegion, AccessKeyID: rootKey, AccessKeySecret: rootSecret}
}

// empty deletes a bucket and its content.
func (w *world) empty(t *testing.T, bucket string) {
	t.Helper()
	for o, err := range client.NewBucket(w.oss, bucket).Objects(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.oss.DeleteObject(t.Context(), &oss.DeleteObjectRequest{Bucket: &bucket, Key: o.Key}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.oss.DeleteBucket(t.Context(), &oss.DeleteBucketRequest{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
}
