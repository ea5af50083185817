package ossapi_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(everything{m}) }

// everything fails a run of all tests unless requests have tried each operation and
// provoked each row of the error table.
type everything struct{ m *testing.M }

func (e everything) Run() int {
	code := e.m.Run()
	if f := flag.Lookup("test.run"); code != 0 || f.Value.String() != "" || flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.list").Value.String() != "" {
		return code
	}
	for _, row := range ossapi.ErrorRows() {
		if _, ok := provoked.Load(row.Code + ": " + row.Message); !ok && unprovoked[row.Err] == "" {
			fmt.Printf("no test provokes %s (%v)\n", row.Code, row.Err)
			code = 1
		}
	}
	for _, o := range ossapi.Operations() {
		if _, ok := tried.Load(o.Name); !ok {
			fmt.Printf("no test tries %s\n", o.Name)
			code = 1
		}
	}
	return code
}

// tried are the names of the operations that have succeeded in a test.
var tried sync.Map

// provoked are the code and message of every error that a test has seen.
var provoked sync.Map

// unprovoked are the rows that no request of a test can provoke, and why.
var unprovoked = map[error]string{
	stocktake.ErrAccessDenied: "a *ram.DeniedError says more",
	object.ErrPrecondition:    "the message names the condition",
	object.ErrIncompleteBody:  "net/http finds it first",
	ossapi.ErrNotModified:     "it has no document",
	ossapi.ErrCallback:        "its message is that of the failure",
	ossapi.ErrPostPolicy:      "its message says what is wrong",
	ossapi.ErrPostDenied:      "its message says which condition failed",
	context.Canceled:          "the client has left",
	context.DeadlineExceeded:  "the client has left",
	ram.ErrTokenRequired:      "same as ram.ErrNoSuchAccessKey",
}

const (
	account   = "1000000000000000"
	stranger  = "2000000000000000"
	keyID     = "root-key"
	secret    = "root-secret"
	otherID   = "other-key"
	otherPass = "other-secret"
	region    = "cn-hangzhou"
)

// A world is the handler with real components: store, accounts, inventories and a
// listener.
type world struct {
	*httptest.Server
	store       *store.Store
	inventories *inventory.Service
	access      *ram.Directory
	log         *logBuffer
	now         func() time.Time
	seen        *observations
}

type option func(*ossapi.Config)

func newWorld(t *testing.T, options ...option) *world {
	t.Helper()
	w := &world{log: new(logBuffer), now: time.Now, seen: new(observations)}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	dir := t.TempDir()

	cfg := ossapi.Config{Region: region, Hosts: []string{"oss.example.com"}, Log: log, Observer: w.seen}
	for _, o := range options {
		o(&cfg)
	}
	if cfg.Now != nil {
		w.now = cfg.Now
	}
	var err error
	w.access, err = ram.Open("", ram.Root{AccessKeyID: keyID, Secret: secret, Account: account}, ram.Options{Now: w.now, Log: log})
	check(t, err)
	check(t, w.access.CreateAccount(stranger))
	_, err = w.access.AddKey(stranger, "", otherID, otherPass)
	check(t, err)
	w.store, err = store.Open(t.Context(), filepath.Join(dir, "data"), store.Options{Now: w.now, Log: log})
	check(t, err)
	t.Cleanup(func() { check(t, w.store.Close()) })
	registry := bucket.New(w.store, bucket.Options{Region: region, Access: w.access, Now: w.now})
	cat, err := sqlite.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	check(t, err)
	t.Cleanup(func() { check(t, cat.Close()) })
	w.inventories, err = inventory.New(t.Context(), cat, registry, nil, inventory.Options{Log: log})
	check(t, err)

	cfg.Access = w.access
	if cfg.Buckets == nil {
		cfg.Buckets = registry
	}
	if cfg.Store == nil {
		cfg.Store = w.store
	}
	if cfg.Inventories == nil {
		cfg.Inventories = w.inventories
	}
	w.Server = httptest.NewUnstartedServer(ossapi.New(cfg))
	w.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelError)
	w.Start()
	t.Cleanup(w.Close)
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is the official SDK's.
func (w *world) client(options ...func(*oss.Config)) *oss.Client {
	cfg := oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(keyID, secret)).
		WithRegion(region).WithEndpoint(w.URL).WithRetryMaxAttempts(1).
		WithHttpClient(w.Client())
	for _, o := range options {
		o(cfg)
	}
	return oss.NewClient(cfg)
}

// bucket makes a bucket.
func (w *world) bucket(t *testing.T, name string) {
	t.Helper()
	w.must(t, w.do(t, "PUT", "/"+name, "", nil), 200)
}

// A message is an answer, read to its end.
type message struct {
	status int
	header http.Header
	body   string
}

// problem is the error document of an answer.
type problem struct {
	XMLName                                xml.Name `xml:"Error"`
	Code, Message, BucketName, Key, EC     string
	ArgumentName, ArgumentValue, Condition string
}

func (m message) problem(t *testing.T) (p problem) {
	t.Helper()
	if err := xml.Unmarshal([]byte(m.body), &p); err != nil {
		t.Fatalf("answer %d is not an error document: %v\n%s", m.status, err, m.body)
	}
	provoked.Store(p.Code+": "+p.Message, true)
	return p
}

// do sends a request of the root key, signed with V4, in path style. Headers are
// pairs of name and value.
func (w *world) do(t *testing.T, method, path, body string, header map[string]string) message {
	t.Helper()
	return w.send(t, w.signed(t, w.request(t, method, path, body, header)))
}

func (w *world) request(t *testing.T, method, path, body string, header map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(body))
	check(t, err)
	for name, value := range header {
		if strings.EqualFold(name, "Host") {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	return r
}

// signed signs a request in path style, as the root key.
func (w *world) signed(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return w.signedAs(t, r, signature.Credentials{ID: keyID, Secret: secret}, signature.Target{Bucket: bucket, Key: key})
}

func (w *world) signedAs(t *testing.T, r *http.Request, c signature.Credentials, target signature.Target) *http.Request {
	t.Helper()
	check(t, signature.Sign(r, target, c, region, signature.V4, w.now()))
	return r
}

func (w *world) send(t *testing.T, r *http.Request) message {
	t.Helper()
	res, err := w.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return message{res.StatusCode, res.Header, string(body)}
}

// must fails the test unless an answer has the status.
func (w *world) must(t *testing.T, m message, status int) message {
	t.Helper()
	if m.status != status {
		t.Fatalf("status %d, want %d\n%v\n%s", m.status, status, m.header, m.body)
	}
	return m
}

// refused fails the test unless an answer is that error, with everything that
// clients rely on.
func (w *world) refused(t *testing.T, m message, status int, code string) problem {
	t.Helper()
	p := m.problem(t)
	if m.status != status || p.Code != code {
		t.Fatalf("%d %s, want %d %s\n%s", m.status, p.Code, status, code, m.body)
	}
	var id struct {
		RequestID string `xml:"RequestId"`
		HostID    string `xml:"HostId"`
	}
	check(t, xml.Unmarshal([]byte(m.body), &id))
	if len(id.RequestID) != 24 || id.RequestID != m.header.Get("X-Oss-Request-Id") {
		t.Errorf("request id %q in the document, %q in the header", id.RequestID, m.header.Get("X-Oss-Request-Id"))
	}
	if id.HostID == "" || p.Message == "" || m.header.Get("Content-Type") != "application/xml" {
		t.Errorf("incomplete: %v\n%s", m.header, m.body)
	}
	if p.EC != m.header.Get("X-Oss-Ec") {
		t.Errorf("EC %q in the document, %q in the header", p.EC, m.header.Get("X-Oss-Ec"))
	}
	if _, err := http.ParseTime(m.header.Get("Date")); err != nil {
		t.Errorf("Date: %v", err)
	}
	return p
}

// logBuffer is a log that tests can read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type observations struct {
	mu   sync.Mutex
	list []ossapi.Observation
}

func (o *observations) Observe(v ossapi.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v.Code == "" {
		tried.Store(v.Operation, true)
	}
	o.list = append(o.list, v)
}
