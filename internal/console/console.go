// Package console serves the pages that people look at: buckets, inventory
// configurations, runs and reports.
//
// The console is a client of the server's own OSS API, in the same process. Each
// page is made of requests that are signed with the access key of the person who
// looks, and that the API authenticates, authorizes and logs like any other. So
// the console shows and does nothing that the key could not do without it.
//
// It has an origin of its own, because the API's origin serves the objects of
// strangers. All that a page needs is embedded in the binary; see assets/build.
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
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/report"
)

// Keys finds the secret of an access key and whose it is. [ram.Directory]
// implements it.
type Keys interface {
	Key(id, token string) (secret string, who ram.Identity, err error)
}

// Stores is what the console needs to know about buckets of named stores, which
// the API neither lists nor reads.
type Stores interface {
	// Elsewhere returns the names of the buckets of named stores that are known:
	// those that the settings name, and those that have configurations.
	Elsewhere(ctx context.Context) ([]string, error)

	// StoreOf returns the store of a bucket; empty: it is the embedded one.
	StoreOf(bucket string) string

	// Reports returns the destination of cfg, which a named store holds. The caller
	// has authorized nothing.
	Reports(ctx context.Context, cfg *stocktake.InventoryConfiguration) (report.Bucket, error)

	// Allow decides what the API decides about a bucket that it serves itself: nil,
	// or a *ram.DeniedError. An empty key means the bucket.
	Allow(ctx context.Context, who ram.Identity, action, bucket, key string, from Caller) error
}

// A Caller is from where a person looks.
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
	API    http.Handler // the OSS API and the paths below /-/
	Keys   Keys
	Region string // that requests are signed for

	Account  string // that configurations are made for, unless a form says otherwise
	Stores   Stores // nil: there is only the embedded store
	Webhooks []Webhook
	Endpoint string           // of the API, as commands and code in pages name it
	Now      func() time.Time // the time of the server; nil: time.Now
	Log      *slog.Logger     // nil: slog.Default()

	// Proven is called with the context of a request once it is known who looks; nil:
	// nothing is.
	Proven func(ctx context.Context, principal string)
}

// A Console is the handler of all pages.
type Console struct {
	Config
	mux      *http.ServeMux
	pages    pages
	sessions *sessions
	attempts *limiter
	streams  chan struct{} // one place for each page that is kept up to date
	verifies chan struct{} // one place for each report that is being verified

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
	if cfg.Proven == nil {
		cfg.Proven = func(context.Context, string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	c := &Console{
		Config: cfg, mux: http.NewServeMux(), sessions: newSessions(), attempts: newLimiter(),
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

// Operation names what a request that [Console.ServeHTTP] has answered was for, as logs
// name it: "Console" and the name of the page or action, such as "ConsoleReport".
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

// Close ends the pages that are kept up to date, so that a server can stop.
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
