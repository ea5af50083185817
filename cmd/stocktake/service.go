package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/catalog"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/retention"
	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/report"
)

// inventories wires the inventory service: catalog, engine, retention, notices.
func (s *server) inventories(ctx context.Context, buckets *bucket.Registry, access *ram.Directory, ring keyring, counts *metrics.Metrics) (*inventory.Service, error) {
	f := s.flags
	loc, err := zone(f.ScheduleZone)
	if err != nil {
		return nil, err
	}
	cat, err := catalog.Open(ctx, filepath.Join(f.Data, "catalog.db"))
	if err != nil {
		return nil, fmt.Errorf("open the catalog in %s: %w", f.Data, err)
	}
	s.closers = append(s.closers, cat.Close)
	counts.Notices(cat.CountNotices)
	hooks, err := s.hooks(cat)
	if err != nil {
		return nil, err
	}
	s.notices = hooks
	opts := inventory.Options{
		Clockwork: inventory.Clockwork{Hour: f.ScheduleHour, Zone: loc},
		Spread:    f.Spread,
		MaxRuns:   f.MaxRuns,
		Keep:      f.KeepRuns,
		Encrypts:  ring.encrypts,
		Roles:     buckets,
		Strict:    func() bool { return f.Production || access.HasRoles(f.AccountID) },
		LateAfter: f.LateAfter,
		Clock:     s.clock,
		Observer:  counts,
		Tidier:    &retention.Keeper{Stores: buckets, Strays: cat, Now: s.clock.Now, Grace: f.StrayGrace, Log: s.log},
		Notifier:  hooks,
		Log:       s.log,
	}
	if f.Seed != "" {
		if opts.NewID, err = seededIDs(f.Data, f.Seed); err != nil {
			return nil, err
		}
	}
	run := &inventory.EngineRunner{Stores: buckets, Seed: f.Seed, Options: engine.Options{
		Workers: f.ScanWorkers, Share: f.ScanShare, Requests: s.pressure.requests, Limits: report.Limits{Rows: f.ShardRows}, EmptyManifest: f.EmptyReports, Log: s.log,
	}}
	service, err := inventory.New(ctx, cat, buckets, run, opts)
	if err != nil {
		return nil, err
	}
	s.workers = append(s.workers, service.Serve, hooks.Serve)
	return service, nil
}

// hooks makes the receivers of notices from the flags.
func (s *server) hooks(cat *catalog.Catalog) (*notify.Hooks, error) {
	var hooks []notify.Hook
	if len(s.flags.Webhook) > 0 {
		secret, err := webhookSecret(s.flags)
		if err != nil {
			return nil, err
		}
		var events []inventory.EventKind
		for _, e := range s.flags.WebhookEvents {
			events = append(events, inventory.EventKind(e))
		}
		for name, url := range s.flags.Webhook {
			hooks = append(hooks, notify.Hook{Name: name, URL: url, Secret: secret, Events: events})
		}
		slices.SortFunc(hooks, func(a, b notify.Hook) int { return strings.Compare(a.Name, b.Name) })
	}
	h, err := notify.New(cat, hooks, notify.Options{Clock: s.clock, Log: s.log})
	if err != nil {
		return nil, usagef("--webhook: %w", err)
	}
	return h, nil
}

// webhookSecret reads what notices are signed with, or makes it.
func webhookSecret(f serverFlags) ([]byte, error) {
	path := f.WebhookSecretFile
	if path == "" {
		path = filepath.Join(f.Data, "webhook.secret")
	}
	b, err := securefile.Read(path, 4<<10)
	if errors.Is(err, fs.ErrNotExist) && f.WebhookSecretFile == "" {
		b = []byte(rand.Text() + rand.Text())
		return b, securefile.Replace(path, append(slices.Clone(b), '\n'))
	}
	if err != nil {
		return nil, usagef("--webhook-secret-file: %w", err)
	}
	b = []byte(strings.TrimSpace(string(b)))
	if len(b) < 16 {
		return nil, usagef("%s: a secret has at least 16 bytes", path)
	}
	return b, nil
}

// seededIDs derives the ids of runs from the seed, so that a server that starts
// on an empty folder gives the same ones each time: by bucket, configuration and
// the number of the run. A later start on the same folder counts as another, so
// that no id comes twice.
func seededIDs(dir, seed string) (func(stocktake.Run) string, error) {
	path := filepath.Join(dir, "seed.json")
	var kept struct {
		Starts int `json:"starts"`
	}
	b, err := securefile.Read(path, 4<<10)
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	kept.Starts++
	if b, err = json.Marshal(kept); err != nil {
		return nil, err
	}
	if err := securefile.Replace(path, b); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	made := map[[2]string]int{}
	return func(r stocktake.Run) string {
		mu.Lock()
		defer mu.Unlock()
		of := [2]string{r.Bucket, r.Configuration}
		made[of]++
		return uuid.NewHash(sha256.New(), uuid.Nil, fmt.Appendf(nil, "%q %d %q %q %d", seed, kept.Starts, of[0], of[1], made[of]), 8).String()
	}, nil
}
