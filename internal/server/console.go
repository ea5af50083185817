package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/console"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/server/admin"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/report"
)

// consoleConnections bounds the connections of the console. They are counted separately from those
// of the API, so that neither can exhaust the other.
const consoleConnections = 500

// openConsoleListener opens the address of the console. It speaks TLS if the
// server has a certificate.
func (s *Server) openConsoleListener(cert *listen.Certificate) error {
	if s.cfg.ConsoleListen == "" || !s.cfg.has(RoleAPI) {
		return nil
	}
	ln, err := net.Listen("tcp", s.cfg.ConsoleListen)
	if s.cfg.ConsoleIfFree && errors.Is(err, syscall.EADDRINUSE) {
		s.log.Warn("console not started: its address is in use; choose another with --console-listen, or off", "listen", s.cfg.ConsoleListen)
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on %s for the console (--console-listen off disables it): %w", s.cfg.ConsoleListen, err)
	}
	s.consoleConns = listen.NewConnections(min(consoleConnections, s.cfg.MaxConnections), s.log)
	l := listen.NewListener(ln, s.consoleConns, cert)
	s.consoleListener = &l
	return nil
}

// openConsole opens the console on a listener and an origin of its own, because the origin of the
// API serves objects of strangers.
func (s *Server) openConsole(access *ram.Directory, buckets *bucket.Registry) error {
	if s.consoleListener == nil {
		return nil
	}
	events := make([]string, 0, len(s.cfg.WebhookEvents))
	for _, e := range s.cfg.WebhookEvents {
		events = append(events, string(e))
	}
	var hooks []console.Webhook
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Webhooks)) {
		hooks = append(hooks, console.Webhook{Name: name, Events: events})
	}
	pages, err := console.New(console.Config{
		API: s.handler, Keys: access, Region: s.cfg.Region, Account: s.cfg.AccountID, Endpoint: s.Endpoint(),
		Stores:   &consoleStores{buckets, access, s},
		Webhooks: hooks, Now: s.clock.Now, Log: s.log, Authenticated: proven,
	})
	if err != nil {
		return err
	}
	s.console = pages
	s.work(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, pages.Close)()
		return listen.Serve(ctx, []listen.Listener{*s.consoleListener}, s.consoleConns, listen.Hasty(s.traced(s.accessed(console.Operation, pages))), s.log)
	})
	return nil
}

// ConsoleURL returns the URL of the console; empty if there is none. It must not
// be called after Close.
func (s *Server) ConsoleURL() string {
	if s.consoleListener == nil {
		return ""
	}
	return s.consoleListener.URL()
}

// SignInLink returns an address of the console that signs in with the root access
// key, once, within an hour; empty if there is no console.
func (s *Server) SignInLink() string {
	if s.console == nil {
		return ""
	}
	return s.ConsoleURL() + s.console.SignInLink(s.key.ID)
}

// consoleStores tells the console about the buckets of named stores.
type consoleStores struct {
	*bucket.Registry
	access *ram.Directory
	server *Server
}

// Elsewhere implements [console.Stores].
func (c *consoleStores) Elsewhere(ctx context.Context) ([]string, error) {
	if len(c.server.stores) == 0 {
		return nil, nil
	}
	var all []string
	for _, st := range c.server.stores {
		entry := st.Settings()
		for here := range entry.Aliases {
			all = append(all, here)
		}
		for _, p := range entry.Buckets {
			if !strings.ContainsAny(p, "*?") && entry.Claims(p) {
				all = append(all, p)
			}
		}
	}
	configured, err := admin.ConfiguredElsewhere(ctx, c.server.configured, c.StoreOf)
	if err != nil {
		return nil, err
	}
	all = append(all, configured...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Reports implements [console.Stores].
func (c *consoleStores) Reports(ctx context.Context, cfg *stocktake.InventoryConfiguration) (report.Bucket, error) {
	return c.Destination(ctx, cfg)
}

// Allow implements [console.Stores]. It decides as the API does; buckets of named stores have
// neither ACL nor policy.
func (c *consoleStores) Allow(ctx context.Context, who ram.Identity, action, name, key string, from console.Caller) error {
	b, err := c.Bucket(ctx, name)
	if err != nil {
		return err
	}
	q := ram.BucketRequest(action, &b, key)
	q.SourceIP, q.Secure, q.Time = from.Address, from.Secure, c.server.clock.Now()
	q.Conditions = map[string]string{"acs:UserAgent": from.UserAgent}
	if key == "" {
		q.Conditions["oss:Prefix"], q.Conditions["oss:Delimiter"] = from.Prefix, ""
	}
	return c.access.Allowed(who, q)
}

var _ console.Stores = (*consoleStores)(nil)

// closeConsole releases the address of the console.
func (s *Server) closeConsole() error {
	if s.consoleListener == nil {
		return nil
	}
	err := s.consoleListener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.consoleConns.Close())
}
