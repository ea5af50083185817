package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/tracing"
)

// Options tune a [Service]. The zero value is what production runs.
type Options struct {
	DayStart               // when the day of a scheduled run begins
	Spread   time.Duration // scheduled runs start up to this much after they are due, each configuration by its own share; below a day
	MaxRuns  int           // runs that go at once between the same two stores; 0: GOMAXPROCS, at least 2
	Keep     int           // runs that have ended kept per configuration; 0: 100

	// MaxAttempts is how often a run is started that ends with the whole server each
	// time; 0: 10. A run that crashes the server must not do so for ever.
	MaxAttempts int

	// AnyDestination accepts destinations in other accounts and regions.
	AnyDestination bool

	// Journal has the changes that incremental reports are made of. nil: they are
	// switched off, and configurations that ask for them are refused.
	Journal Journal

	// Window is the length of the windows of incremental reports, in whole seconds; 0:
	// ten minutes, as with OSS.
	Window time.Duration

	// Encrypts returns nil if the reports of a configuration of bucket can be encrypted
	// as it asks, else what to answer. The function nil refuses each way.
	Encrypts func(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error

	Roles Roles // nil: each role may do everything

	// Strict says whether a configuration is refused whose runs will fail as far as
	// can be told: its role may not do its work, or its reports would have keys that
	// are too long. Without it, or with nil, the configuration is kept with a
	// warning. It is asked with each Put.
	Strict func() bool

	// LateAfter is how long after it is due a run is late that has not ended; 0:
	// 6 hours, negative: never.
	LateAfter time.Duration

	// Shared says that other processes use the catalog, too: runs of theirs are
	// taken once their lease has expired. Without it New takes all unfinished runs,
	// because this process alone holds the lock of the data folder.
	Shared bool

	// StoresOnly refuses configurations of, and to, buckets of the embedded store,
	// which other processes on the catalog do not have.
	StoresOnly bool

	// Lease is how long other processes leave a run alone that this one works on
	// and does not renew; 0: 30 seconds. It must be some times [heartbeat].
	Lease time.Duration

	Clock    clock.Clock                // nil: the machine's
	NewID    func(stocktake.Run) string // makes the id of a run, unique for ever; nil: a random UUID
	Observer Observer                   // nil: none
	Tidier   Tidier                     // nil: nothing is ever removed
	Notifier Notifier                   // nil: none
	Log      *slog.Logger               // nil: slog.Default()
}

func (o Options) withDefaults() (Options, error) {
	o.MaxRuns = cmp.Or(o.MaxRuns, max(runtime.GOMAXPROCS(0), 2))
	o.Keep = cmp.Or(o.Keep, 100)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 10)
	o.LateAfter = cmp.Or(o.LateAfter, 6*time.Hour)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Window = cmp.Or(o.Window, defaultWindow)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.NewID == nil {
		o.NewID = func(stocktake.Run) string { return uuid.NewString() }
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Notifier == nil {
		o.Notifier = noNotifier{}
	}
	if o.Encrypts == nil {
		o.Encrypts = encryptsNothing
	}
	switch {
	case o.Hour < 0 || o.Hour > 23:
		return o, fmt.Errorf("the hour of scheduled runs is %d; it must be 0 to 23", o.Hour)
	case o.Spread < 0 || o.Spread >= 24*time.Hour:
		return o, fmt.Errorf("the spread of scheduled runs is %s; it must be 0 or more and below 24h", o.Spread)
	case o.Lease < 2*heartbeat:
		return o, fmt.Errorf("the lease of runs is %s; it must be at least %s", o.Lease, 2*heartbeat)
	case o.Window < time.Second || o.Window > MaxWindow || o.Window%time.Second != 0:
		return o, fmt.Errorf("the window of incremental reports is %s; it must be whole seconds, from 1s to %s", o.Window, MaxWindow)
	case o.MaxRuns < 0 || o.Keep < 0 || o.MaxAttempts < 0:
		return o, errors.New("the numbers of runs at once, of runs kept and of attempts must not be negative")
	}
	return o, nil
}

// MaxWindow is the longest that a window of incremental reports may be.
const MaxWindow = 24 * time.Hour

type noObserver struct{}

func (noObserver) RunChanged(stocktake.Run) {}

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
		holder:  Holder{Owner: uuid.NewString(), Lease: opts.Lease},
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
