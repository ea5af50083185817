// Package console serves the web pages of the server: buckets, inventory
// configurations, runs and reports.
//
// The console is a client of the server's own OSS API, in the same process. Each
// page consists of requests that are signed with the access key of the user. The
// API authenticates, authorizes and logs them like any other request. The console
// therefore shows and does only what the key may do without it.
//
// The console has its own origin, because the API's origin serves untrusted
// objects. Everything that a page needs is embedded in the binary; see
// assets/build.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/console/session"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/report"
)

// Keys maps access keys to their secrets and owners. [ram.Directory] implements it.
type Keys interface {
	Key(id, token string) (secret string, who ram.Identity, err error)
}

// Stores is what the console needs to know about the buckets of named stores. The
// API neither lists nor reads these buckets.
type Stores interface {
	// Elsewhere returns the names of the known buckets of named stores: those in the
	// settings, and those that have configurations.
	Elsewhere(ctx context.Context) ([]string, error)

	// StoreOf returns the store of a bucket; empty: the embedded one.
	StoreOf(bucket string) string

	// Reports returns the destination of cfg, which is in a named store. It does not
	// authorize the caller.
	Reports(ctx context.Context, cfg *stocktake.InventoryConfiguration) (report.Bucket, error)

	// Allow makes the decision that the API makes for a bucket that it serves itself.
	// It returns nil or a *ram.DeniedError. An empty key means the bucket.
	Allow(ctx context.Context, who ram.Identity, action, bucket, key string, from Caller) error
}

// A Caller describes the connection of a user.
type Caller struct {
	Address   netip.Addr
	Secure    bool // over TLS
	UserAgent string
	Prefix    string // of a listing
}

// A Webhook is a receiver of notices, without its URL, which may be secret.
type Webhook struct {
	Name   string   `json:"name"`
	Events []string `json:"events"` // none: all
}

// Config is what a console needs. API, Keys and Region must be set.
type Config struct {
	API    http.Handler // the OSS API and the paths under /-/
	Keys   Keys
	Region string // that requests are signed for

	Account  string // owner of new configurations, unless a form names another
	Stores   Stores // nil: the embedded store only
	Webhooks []Webhook
	Endpoint string           // of the API, as commands and code in pages name it
	Now      func() time.Time // the time of the server; nil: time.Now
	Log      *slog.Logger     // nil: slog.Default()

	// Authenticated is called with the context of a request once its user is authenticated;
	// nil means no call.
	Authenticated func(ctx context.Context, principal string)
}

// A Console is the handler of all pages.
type Console struct {
	Config
	mux      *http.ServeMux
	pages    pages
	sessions *session.Sessions
	attempts *session.Limiter
	streams  chan struct{} // one slot for each live page
	verifies chan struct{} // one slot for each report that is being verified

	ended     chan struct{} // closed by Close
	closeOnce sync.Once
}

const assetPattern = "GET /assets/{name}"

const (
	maxStreams  = 200
	maxVerifies = 2
)

// New returns a console.
func New(cfg Config) (*Console, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Authenticated == nil {
		cfg.Authenticated = func(context.Context, string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	c := &Console{
		Config: cfg, mux: http.NewServeMux(), sessions: session.New(), attempts: session.NewLimiter(),
		streams: make(chan struct{}, maxStreams), verifies: make(chan struct{}, maxVerifies), ended: make(chan struct{}),
	}
	var err error
	if c.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	for i := range routes {
		c.mux.Handle(routes[i].Method+" "+routes[i].Pattern, c.handler(&routes[i]))
	}
	c.mux.HandleFunc(assetPattern, serveAsset)
	c.mux.Handle("/", c.handler(&route{Name: "NotFound", handle: (*visit).notFound}))
	return c, nil
}

// Operation returns the name, for logs, of the operation that [Console.ServeHTTP]
// has answered: "Console" and the name of the page or action, such as
// "ConsoleReport".
func Operation(r *http.Request) string {
	for i := range routes {
		if routes[i].Method+" "+routes[i].Pattern == r.Pattern {
			return "Console" + routes[i].Name
		}
	}
	if r.Pattern == assetPattern {
		return "ConsoleAsset"
	}
	return "ConsoleUnknown"
}

// Close ends all live pages, so that the server can stop.
func (c *Console) Close() { c.closeOnce.Do(func() { close(c.ended) }) }

// maxForm bounds the body of a request, in bytes: a form with the longest
// prefixes, each byte percent-encoded.
const maxForm = 64 << 10

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header(), r)
	if why := refusesOrigin(r); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.mux.ServeHTTP(w, r)
}
