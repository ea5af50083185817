// Package server implements `stocktake serve`: it opens the parts of a server (store, accounts,
// catalog, inventory service) from its settings, builds an HTTP handler from the parts, and serves
// it on the listeners. The paths below /-/ are its own; everything else belongs to internal/ossapi
// and internal/sts.
//
// A part is opened by one method of Server that open (parts.go) calls. The method registers what
// the part needs from the server: background work (work), a path below /-/ (handle), a readiness
// condition (readyIf), a reload on SIGHUP (onReload), a close at shutdown (onClose). A test runs a
// whole server in its own process:
//
//	s, err := server.New(ctx, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
//	go s.Serve(ctx)
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/internal/accesslog"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/console"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/securerow"
	"github.com/stocktake/stocktake/internal/server/admin"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/tracing"
)

// EndWithin is how long a server may take to stop after the end of its context. Operations that
// still wait for the disk then are taken to hang.
const EndWithin = 3 * listen.Grace

// A Server is a Stocktake server whose data folder and addresses are open. End
// it with the context of [Server.Serve], or with [Server.Close] if it never
// served.
type Server struct {
	cfg     Config // with defaults filled in
	folder  Folder
	log     *slog.Logger
	key     AccessKey
	keyMade bool
	adopts  bool // the data folder existed before this start

	clock       clock.Clock
	now         func() time.Time // of a clock that can be moved; nil: the machine's, for all that only read the time
	listeners   []listen.Listener
	certificate *listen.Certificate // nil without TLS
	handler     http.Handler
	admin       *http.ServeMux // paths below /-/
	notices     *notify.Notifier
	stores      []*foreign.Store   // of the settings
	file        *sqlite.Catalog    // the catalog in the data folder; nil: there is none
	database    *postgres.Database // of the catalog that processes share; nil: there is none
	requests    requestCount

	shared        *securerow.Table       // accounts and keys that processes share; nil: they are in the data folder
	sharedCatalog catalog                // in the same database
	tablesRemark  atomic.Pointer[string] // a remark about the version of its tables; nil or empty: none
	conns         *listen.Connections

	audit     *slog.Logger   // of changes
	accessLog *accesslog.Log // nil: none

	metricsListener *listen.Listener    // nil: metrics are on the listeners of the API
	metricsConns    *listen.Connections // of metricsListener
	metricsToken    *token              // nil: metrics need none

	configured      admin.BucketLister // buckets that have configurations
	console         *console.Console   // nil: none
	consoleListener *listen.Listener
	consoleConns    *listen.Connections

	workers   []func(context.Context) error // run until the server ends
	probes    []func() error                // conditions of readiness
	mentions  []func() error                // remarks of readyz about a ready server
	reloaders []func() error                // in the order of opening
	closers   []func() error                // in the order of opening
}

// New opens the addresses and the data folder of cfg. New checks the settings, the addresses and the files in cfg before it writes to the disk, and
// writes a new root access key last: a failed start leaves no key that was never shown. After an error nothing is open. A *SettingError means that
// cfg needs correcting.
func New(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, folder: Folder(cfg.Data), log: cfg.Log, clock: clock.Real{}, conns: listen.NewConnections(cfg.MaxConnections, cfg.Log)}
	if cfg.ClockControl {
		movable := clock.NewMovable(nil)
		s.clock, s.now = movable, movable.Now
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.openListeners(); err != nil {
		return nil, err
	}
	if err := s.folder.Check(); err != nil {
		return nil, err
	}
	if err := store.MakeRoom(string(s.folder), s.log); err != nil {
		return nil, err
	}
	if err := s.checkWhole(ctx); err != nil {
		return nil, err
	}
	if err := s.checkFiles(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, &SettingError{"data", err}
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if s.keyMade && s.shared == nil {
		if err := keepRootKey(s.folder, s.key); err != nil {
			return nil, err
		}
	}
	if err := s.register(); err != nil {
		return nil, err
	}
	s.work(s.registerParts)
	if s.shared != nil {
		if err := s.shared.Join(ctx); err != nil {
			return nil, fmt.Errorf("open accounts and keys: %w", err)
		}
	}
	return s, nil
}

// Check makes the checks that New makes before it writes to the disk: settings, addresses and the
// files in cfg. It leaves nothing open and writes nothing.
func Check(cfg Config) (err error) {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, folder: Folder(cfg.Data), log: cfg.Log, clock: clock.Real{}, conns: listen.NewConnections(cfg.MaxConnections, cfg.Log)}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.openListeners(); err != nil {
		return err
	}
	if err := s.folder.Check(); err != nil {
		return err
	}
	return s.checkFiles()
}

// work registers a function that runs until the server ends. An error that it
// returns ends the server.
func (s *Server) work(f func(context.Context) error) { s.workers = append(s.workers, f) }

// onClose registers a function that releases what a part holds. Functions are
// called in the reverse order.
func (s *Server) onClose(f func() error) { s.closers = append(s.closers, f) }

// onReload registers a function that reads files of settings again. If it fails, the previous
// settings stay in force.
func (s *Server) onReload(f func() error) { s.reloaders = append(s.reloaders, f) }

// readyIf registers a condition of readiness: an error that it returns is the
// reason why requests should go elsewhere. It is called for every request of
// /-/readyz.
func (s *Server) readyIf(f func() error) { s.probes = append(s.probes, f) }

// handle registers the handler of a path below /-/.
func (s *Server) handle(pattern string, h http.Handler) { s.admin.Handle(pattern, h) }

// Serve answers requests and makes due runs until ctx ends. It then stops requests, runs and stores
// in this order, and closes the server.
func (s *Server) Serve(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	g, ctx := errgroup.WithContext(tracing.With(ctx, s.cfg.Tracer))
	for _, work := range s.workers {
		g.Go(func() error { return work(ctx) })
	}
	g.Go(func() error { return listen.Serve(ctx, s.listeners, s.conns, s.handler, s.log) })
	return g.Wait()
}

// Reload reads certificates and declared accounts again, as after SIGHUP. Files
// that cannot be read are named in the error, and their previous content stays in
// force.
func (s *Server) Reload() (err error) {
	for _, f := range s.reloaders {
		err = errors.Join(err, f())
	}
	return err
}

// Close releases the addresses and the data folder. Serve calls it at its end. It may be called
// twice.
func (s *Server) Close() (err error) {
	for _, l := range s.listeners {
		if e := l.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	s.listeners = nil
	err = errors.Join(err, s.closeMetrics(), s.closeConsole(), s.conns.Close())
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

// Handler returns the handler that Serve puts on the listeners, for tests that
// need no connection.
func (s *Server) Handler() http.Handler { return s.handler }

// Config returns the settings, with defaults filled in.
func (s *Server) Config() Config { return s.cfg }

// RootKey returns the account's own access key. made reports that this start
// made it.
func (s *Server) RootKey() (key AccessKey, made bool) { return s.key, s.keyMade }

// Endpoint returns the URL that clients on this machine use. It must not be
// called after Close.
func (s *Server) Endpoint() string { return s.listeners[0].URL() }
