package inventory

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/tracing"
)

// A Service keeps configurations and makes their runs. Between [New] and the end
// of [Service.Serve] all its methods may be called at once from many goroutines.
type Service struct {
	catalog *hidingCatalog
	holder  Holder // of the runs of this process
	buckets Buckets
	runner  Runner
	sharer  Sharer // runner, if it can share listings; else nil
	opts    Options
	clock   clock.Clock
	log     *slog.Logger

	ending  chan struct{} // closed when the service has been shutting down for patience
	changed chan struct{} // has a token if Serve must check what has changed

	latest time.Time // the latest that the clock has shown; of New, then of Serve
	forgot time.Time // when forgetRuns did last; of New, then of Serve

	mu       sync.Mutex
	queue    lanes
	active   map[string]*attempt // by id of the run
	next     time.Time           // when the scheduler must wake; zero: never
	nextLate time.Time           // when a run may be late; zero: never

	nextWindow  time.Time  // when a window of incremental reports ends; zero: never
	subscribing sync.Mutex // held while a configuration with incremental reports is put or deleted; taken before mu

	latch   clock.Latch            // holds the clock while there is something to do now
	runs    sync.WaitGroup         // the goroutines of active
	listing map[string]bool        // buckets that runs list which share the listing
	later   []delayed              // runs to be tried again, in no order
	untidy  map[[2]string][]string // the last result of a Tidier, by bucket and id
	taken   map[string]bool        // ids of unfinished runs that another life of a process may have started
}

// New returns the service of what catalog keeps. It forgets the configurations
// of buckets that are gone, and queues the runs that the end of an earlier
// process has interrupted. Nothing runs until Serve is called.
func New(ctx context.Context, catalog Catalog, buckets Buckets, runner Runner, opts Options) (*Service, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{
		catalog: newHidingCatalog(catalog), buckets: buckets, runner: runner, opts: opts, clock: opts.Clock, log: opts.Log,
		holder:  Holder{Owner: opts.Machine.ID, Lease: opts.Lease},
		ending:  make(chan struct{}),
		changed: make(chan struct{}, 1),
		queue:   lanes{},
		latch:   clock.Latch{Clock: opts.Clock},
		active:  map[string]*attempt{},
		listing: map[string]bool{},
		untidy:  map[[2]string][]string{},
		taken:   map[string]bool{},
	}
	s.sharer, _ = runner.(Sharer)
	if err := s.recover(ctx); err != nil {
		return nil, fmt.Errorf("start the inventory service: %w", err)
	}
	s.latest = s.now()
	s.opts.Machine.Started = s.latest
	s.latch.Hold() // until Serve has checked
	return s, nil
}

// now returns the time as it is stored and shown.
func (s *Service) now() time.Time { return s.clock.Now().Truncate(time.Millisecond) }

// wake makes Serve check what has changed; the clock is held until it has.
func (s *Service) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latch.Hold()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// wakeAt makes Serve check at t what is due; the zero time means never.
func (s *Service) wakeAt(t time.Time) {
	s.mu.Lock()
	sooner := !t.IsZero() && (s.next.IsZero() || t.Before(s.next))
	if sooner {
		s.next = t
	}
	s.mu.Unlock()
	if sooner {
		s.wake()
	}
}

// lane returns the lane of a run from bucket to destination.
func (s *Service) lane(bucket, destination string) string {
	from, to := s.buckets.StoreOf(bucket), s.buckets.StoreOf(destination)
	if from == "" && to == "" {
		return ""
	}
	return from + "\x00" + to
}

// newRun makes a run of e that waits to be started.
func (s *Service) newRun(e *Entry, kind stocktake.RunKind, trigger stocktake.Trigger, due time.Time) stocktake.Run {
	r := stocktake.Run{
		Bucket: e.Bucket, Configuration: e.Configuration.ID, Kind: kind,
		Trigger: trigger, State: stocktake.Queued, Attempt: 1,
		Due: due, Queued: s.now(), Destination: e.Configuration.Destination.Bucket,
	}
	r.ID = s.opts.NewID(r)
	return r
}

// randomID serves as Options.NewID.
func randomID(stocktake.Run) string { return uuid.NewString() }

// enqueue queues a run that the catalog has as queued, and that whoever ctx belongs to
// has asked for.
func (s *Service) enqueue(ctx context.Context, r stocktake.Run) {
	lane := s.lane(r.Bucket, r.Destination)
	if r.Kind == stocktake.IncrementalRun {
		lane += "\x00windows" // they are short, and do not wait for runs that take hours
	}
	s.mu.Lock()
	s.latch.Hold()
	s.queue.push(waiting{
		id: r.ID, bucket: r.Bucket, configuration: r.Configuration,
		urgent: r.Trigger != stocktake.TriggerScheduled, lane: lane, parent: tracing.ParentOf(ctx),
	})
	s.mu.Unlock()
	s.willBeLate(&r)
	s.wake()
}

// willBeLate makes Serve check a queued run at the time from which it is late.
func (s *Service) willBeLate(r *stocktake.Run) {
	if s.opts.LateAfter < 0 || r.Late {
		return
	}
	at := r.Due.Add(s.opts.LateAfter)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextLate.IsZero() || at.Before(s.nextLate) {
		s.nextLate = at
	}
}
