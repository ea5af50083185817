package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/sts"
)

// A server is everything that `stocktake serve` runs, wired together.
type server struct {
	flags   serverFlags
	log     *slog.Logger
	key     accessKey
	keyMade bool

	clock     clock.Clock
	listeners []listener
	handler   http.Handler
	notices   *notify.Hooks
	pressure  pressure
	workers   []func(context.Context) error // that go on as long as the server does
	closers   []func() error                // in the order of opening
}

// openServer opens the data folder and the addresses. On an error nothing stays
// open.
func openServer(ctx context.Context, f serverFlags, log *slog.Logger) (_ *server, err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	s := &server{flags: f, log: log, clock: clock.Real{}}
	if f.ClockControl {
		s.clock = clock.NewMovable(nil)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return nil, err
	}
	if s.key, s.keyMade, err = rootKey(f.Data); err != nil {
		return nil, err
	}
	if err := s.wire(ctx); err != nil {
		return nil, err
	}
	s.listeners, err = listen(f)
	return s, err
}

// wire opens what lies in the data folder and puts it together.
func (s *server) wire(ctx context.Context) error {
	f := s.flags
	keys, err := openKeys(f.Data)
	if err != nil {
		return fmt.Errorf("open the encryption keys in %s: %w", f.Data, err)
	}
	ring := keyring{keys}
	st, err := openStore(ctx, f.Data, store.Options{Now: s.clock.Now, Log: s.log, CacheBytes: int64(f.CacheSize), Keys: ring})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, st.Close)

	access, err := ram.Open(filepath.Join(f.Data, accessFile),
		ram.Root{AccessKeyID: s.key.ID, Secret: s.key.Secret, Account: f.AccountID},
		ram.Options{Production: f.Production, Declared: f.AccessFile, Region: f.Region, Now: s.clock.Now, Log: s.log})
	if errors.Is(err, ram.ErrInvalidName) {
		return usagef("--account-id, OSS_ACCESS_KEY_ID or --access-file: %w", err)
	}
	if err != nil {
		return fmt.Errorf("open the accounts in %s: %w", f.Data, err)
	}
	counts := metrics.New()
	buckets := bucket.New(st, bucket.Options{Region: f.Region, Access: access, Account: defaultAccount, Now: s.clock.Now})
	service, err := s.inventories(ctx, buckets, access, ring, counts)
	if err != nil {
		return err
	}
	// OSS carries rules out from 00:00 UTC, when their days are full.
	aging := lifecycle.NewWorker(st, access.Accounts, lifecycle.Options{Zone: time.UTC, Clock: s.clock, Log: s.log})
	s.workers = append(s.workers, aging.Serve)

	api := ossapi.New(ossapi.Config{
		Buckets:        buckets,
		Store:          st,
		Inventories:    service,
		Access:         access,
		Region:         f.Region,
		Hosts:          f.BaseHost,
		CNAMEs:         f.CNAME,
		BodyTimeout:    f.BodyTimeout,
		AllowCallbacks: f.AllowCallbacks,
		StrictVersions: f.StrictVersions,
		Beside:         s.beside(counts, access),
		Now:            s.clock.Now,
		Log:            s.log,
		Observer:       counts,
	})
	s.handler = s.pressure.count(withSTS(sts.New(access, sts.Options{Now: s.clock.Now, Log: s.log}), api))
	return nil
}

// withSTS puts AssumeRole on the listener of the OSS API, where clients that
// know one address find both.
func withSTS(tokens, api http.Handler) http.Handler {
	tokens = hasty(tokens)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sts.Is(r) {
			tokens.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// beside is what is ours beside the OSS API: /-/ on the bare endpoint.
func (s *server) beside(m *metrics.Metrics, access *ram.Directory) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
	}
	mux.HandleFunc("GET /-/healthz", ok)
	mux.HandleFunc("GET /-/readyz", ok) // the listener opens when everything else has
	mux.Handle("GET /-/metrics", m.Handler())
	owner := ownerOnly{access, s.flags.AccountID, s.clock.Now}
	mux.Handle(noticesPath, &noticesHandler{owner, s.notices, s.log})
	if movable, ok := s.clock.(*clock.Movable); ok {
		mux.Handle(clockPath, &clockHandler{owner, movable})
	}
	return hasty(mux)
}

// serve serves until ctx ends, then stops in the reverse order of what depends
// on what: requests, runs, stores.
func (s *server) serve(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	g, ctx := errgroup.WithContext(ctx)
	for _, work := range s.workers {
		g.Go(func() error { return work(ctx) })
	}
	g.Go(func() error { return serveHTTP(ctx, s.listeners, s.handler, s.log) })
	return g.Wait()
}

func (s *server) close() (err error) {
	for _, l := range s.listeners {
		if e := l.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	s.listeners = nil
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

// endpoint is the URL that clients on this machine use.
func (s *server) endpoint() string {
	l := s.listeners[0]
	scheme := "http"
	if l.tls {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return scheme + "://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// announce tells a person how to reach the server.
func (s *server) announce(con console) {
	fmt.Fprintf(con.err, "stocktake serves %s, region %s, account %s, data in %s\n", s.endpoint(), s.flags.Region, s.flags.AccountID, s.flags.Data)
	if s.keyMade {
		fmt.Fprintf(con.err, "a new root access key was made and is kept in %s:\n  OSS_ACCESS_KEY_ID=%s\n  OSS_ACCESS_KEY_SECRET=%s\n",
			filepath.Join(s.flags.Data, rootKeyFile), s.key.ID, s.key.Secret)
	}
}

// announceTo is announce for programs. The new key is in its file only.
func (s *server) announceTo(log *slog.Logger) {
	log.Info("stocktake serves", "endpoint", s.endpoint(), "region", s.flags.Region, "account", s.flags.AccountID, "data", s.flags.Data)
	if s.keyMade {
		log.Info("a new root access key was made", "file", filepath.Join(s.flags.Data, rootKeyFile))
	}
}

// demoFlags are the settings of the demo's server: the defaults of the flags, in
// a folder and at an address of its own.
func demoFlags(dir, addr string) (serverFlags, error) {
	var f serverFlags
	defaults, err := kong.New(&f)
	if err != nil {
		return f, err
	}
	if _, err := defaults.Parse(nil); err != nil {
		return f, err
	}
	f.Data, f.Listen = dir, addr
	return f, nil
}
