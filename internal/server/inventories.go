package server

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/retention"
	"github.com/stocktake/stocktake/internal/runner/cluster"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/report"
)

// runner returns the runner: this process, or with a database all processes that share it.
func (s *Server) runner(cat catalog, run *local.Runner, machine stocktake.Machine, storeOf func(bucket string) string) (inventory.Runner, error) {
	if s.database == nil {
		return run, nil
	}
	slots := s.cfg.Slices
	if !s.cfg.has(RoleWorker) {
		slots = 0
	}
	var stores []cluster.Store
	for _, st := range s.stores {
		stores = append(stores, st)
	}
	shared, err := cluster.New(s.database, cat, run, cluster.Options{Slots: slots, Machine: machine, Schedules: s.cfg.has(RoleScheduler), Stores: stores, StoreOf: storeOf, Log: s.log})
	if err != nil {
		return nil, err
	}
	s.work(shared.Serve)
	return shared, nil
}

// machine describes this process to people.
func (s *Server) machine() (stocktake.Machine, error) {
	m := stocktake.Machine{ID: uuid.NewString(), Name: s.cfg.Name, Roles: s.cfg.Roles, Version: s.cfg.Version}
	if m.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return m, fmt.Errorf("name this process (--name): %w", err)
		}
		m.Name = host
	}
	return m, nil
}

// noticePoll is how often the process that delivers notices looks for notices of other processes.
const noticePoll = 2 * time.Second

// delivery returns the deliverer of notices. Only one of the processes that share a
// database delivers them, so that receivers get each once.
func (s *Server) delivery(hooks *notify.Notifier) func(context.Context) error {
	if s.database == nil {
		return hooks.Serve
	}
	return func(ctx context.Context) error {
		return s.database.Alone(ctx, "stocktake notices", func(ctx context.Context) error {
			poll := time.NewTicker(noticePoll)
			defer poll.Stop()
			done := make(chan error, 1)
			go func() { done <- hooks.Serve(ctx) }()
			for {
				select {
				case <-poll.C:
					hooks.Stored()
				case <-ctx.Done():
					return <-done
				}
			}
		})
	}
}

// openInventories opens the inventory service: catalog, engine, retention and
// notices.
func (s *Server) openInventories(ctx context.Context, changes journal.Journal, buckets *bucket.Registry, access *ram.Directory, ring keyring, counts *metrics.Metrics) (*inventory.Service, error) {
	f := &s.cfg
	cat, err := s.openCatalog(ctx)
	if err != nil {
		return nil, err
	}
	s.configured = cat
	s.showCatalog(cat, counts)
	hooks, err := s.hooks(cat, counts)
	if err != nil {
		return nil, err
	}
	s.notices = hooks
	machine, err := s.machine()
	if err != nil {
		return nil, err
	}
	opts := inventory.Options{
		DayStart:      inventory.DayStart{Hour: f.ScheduleHour, Zone: f.ScheduleZone},
		Spread:        f.Spread,
		MaxRuns:       f.MaxRuns,
		Keep:          f.KeepRuns,
		Encrypts:      encrypts(buckets, ring),
		Roles:         buckets,
		Strict:        access.ChecksRoles,
		LateAfter:     f.LateAfter,
		Window:        f.Window,
		Shared:        s.database != nil,
		StoresOnly:    s.database != nil,
		Machine:       machine,
		NoRuns:        !f.has(RoleWorker),
		Clock:         s.clock,
		Traced:        s.cfg.Tracer != nil,
		Observer:      counts,
		ReportRemover: &retention.Remover{Stores: buckets, Strays: cat, Rights: buckets, Now: s.clock.Now, Grace: f.StrayGrace, Log: s.log},
		Notifier:      hooks,
		Log:           s.log,
	}
	if f.Seed != "" {
		if opts.NewID, err = seededIDs(s.folder, f.Seed); err != nil {
			return nil, err
		}
	}
	run := &local.Runner{Stores: buckets, Seed: f.Seed, Options: engine.Options{
		Workers: f.ScanWorkers, Share: f.ScanShare, Requests: s.requests.requests, Limits: report.Limits{Rows: f.ShardRows}, EmptyManifest: f.EmptyReports, RollupDepth: f.RollupDepth, Log: s.log,
	}}
	if !f.NoIncremental {
		opts.Journal, run.Journal = changes, changes
		run.WindowLimits, run.EmptyWindows = report.Limits{Rows: f.ShardRows}, f.EmptyReports
	}
	runner, err := s.runner(cat, run, opts.Machine, buckets.StoreOf)
	if err != nil {
		return nil, err
	}
	if shared, ok := runner.(*cluster.Runner); ok {
		opts.Schedules = shared.Schedules
	}
	service, err := inventory.New(ctx, cat, buckets.ForInventories(), runner, opts)
	if err != nil {
		return nil, err
	}
	counts.Runs(service, cat)
	counts.Machines(service)
	counts.Configurations(cat, service, s.shownConfigurations())
	s.work(service.Serve)
	if s.cfg.has(RoleScheduler) {
		s.work(s.delivery(hooks))
	}
	return service, nil
}
