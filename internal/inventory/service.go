package inventory

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
)

// A Service keeps configurations and makes their runs. Between [New] and the end
// of [Service.Serve] all its methods may be called at once from many goroutines.
type Service struct {
	catalog Catalog
	holder  Holder // of the runs of this process
	buckets Buckets
	runner  Runner
	sharer  Sharer // runner, if it can share listings; else nil
	opts    Options
	clock   clock.Clock
	log     *slog.Logger

	ending  chan struct{} // closed when the service has been shutting down for patience
	changed chan struct{} // has a token if Serve must check what has changed

	latest time.Time // the latest time of the clock; used by New, then by Serve
	forgot time.Time // last time of forgetRuns; used by New, then by Serve

	mu       sync.Mutex
	queue    lanes
	active   map[string]*attempt // by id of the run
	next     time.Time           // when the scheduler must wake; zero: never
	nextLate time.Time           // when a run may be late; zero: never

	nextWindow  time.Time       // when a window of incremental reports ends; zero: never
	scheduling  bool            // of Serve: whether this process was the scheduler at the last check
	doubt       atomic.Bool     // the catalog may assign unknown runs to this process
	postponed   atomic.Bool     // postponed runs may be free now
	failing     bool            // of Serve: the last attempt to take runs failed
	unknown     map[string]bool // of Serve: unknown runs assigned to this process, at the last beat
	mayTake     atomic.Bool     // there may be a free run, or a place for one, that Serve has not looked for
	subscribing sync.Mutex      // held while a configuration with incremental reports is put or deleted; taken before mu

	latch           clock.Latch            // holds the clock while there is work to do
	runs            sync.WaitGroup         // the goroutines of active
	listing         map[string]bool        // buckets with a shared listing in progress
	delayed         []delayed              // runs that wait for their next attempt, in no order; none if the catalog is shared
	removalWarnings map[[2]string][]string // the last warnings of the ReportRemover, by bucket and id
	deleted         deletedBuckets         // still in the catalog
	taken           map[string]bool        // ids of unfinished runs that an earlier process may have started
}

// New returns the service of the configurations in catalog. It removes the configurations of
// deleted buckets, and queues the runs that the end of an earlier process interrupted. No run
// starts until Serve is called.
func New(ctx context.Context, catalog Catalog, buckets Buckets, runner Runner, opts Options) (*Service, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{
		catalog: catalog, buckets: buckets, runner: runner, opts: opts, clock: opts.Clock, log: opts.Log,
		holder:          Holder{Owner: opts.Machine.ID, Lease: opts.Lease},
		ending:          make(chan struct{}),
		changed:         make(chan struct{}, 1),
		queue:           lanes{},
		latch:           clock.Latch{Clock: opts.Clock},
		active:          map[string]*attempt{},
		listing:         map[string]bool{},
		removalWarnings: map[[2]string][]string{},
		taken:           map[string]bool{},
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
