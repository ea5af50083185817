package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
)

// Options tune a [Service]. The zero value suits production.
type Options struct {
	DayStart               // when the day of a scheduled run begins
	Spread   time.Duration // scheduled runs start up to this long after they are due, each configuration with its own delay; below a day
	MaxRuns  int           // concurrent runs between the same two stores; 0: GOMAXPROCS, at least 2
	Keep     int           // ended runs kept per configuration; 0: 100

	// MaxAttempts bounds the attempts of a run if the server ends during each of them; 0: 10. A run
	// that crashes the server must not be repeated forever.
	MaxAttempts int

	// AnyDestination accepts destinations in other accounts and regions.
	AnyDestination bool

	// Journal has the changes for incremental reports. nil disables them: configurations that ask
	// for them are refused.
	Journal Journal

	// Window is the length of the windows of incremental reports, in whole seconds; 0:
	// ten minutes, as with OSS.
	Window time.Duration

	// Encrypts returns nil if the reports of a configuration of bucket can be encrypted as it asks,
	// otherwise the error to answer. A nil function refuses all encryption.
	Encrypts func(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error

	Roles Roles // nil: each role may do everything

	// Strict says whether a configuration is refused if its role may not do its work.
	// If it returns false or is nil, the configuration is kept with a warning, since
	// the role may get its rights later. It is called for each Put.
	Strict func() bool

	// LateAfter is the time after its due time at which an unfinished run is late; 0: 6 hours,
	// negative: never.
	LateAfter time.Duration

	// Shared says that other processes also use the catalog: runs are recorded without a holder, and
	// each process takes some when it has room. Without Shared, New takes all unfinished runs,
	// because only this process holds the lock of the data folder.
	Shared bool

	// StoresOnly refuses configurations whose source or destination is a bucket of the embedded
	// store, which other processes on the catalog do not have.
	StoresOnly bool

	// Machine describes this process to people. Its ID identifies this start of the process and is
	// never reused; empty: a random one. New sets Started.
	Machine stocktake.Machine

	// Schedules reports whether this process is the scheduler, which records due runs; of the
	// processes that share a catalog, one is. nil: it always is. It is cheap.
	Schedules func() bool

	// Poll is how often a process looks for runs that others have recorded in a shared catalog; 0:
	// a second.
	Poll time.Duration

	// NoRuns says that this process makes no runs; others that share the catalog do.
	NoRuns bool

	// Lease is how long this process holds a run without renewing the lease; 0: 30
	// seconds. It must be several times [heartbeat].
	Lease time.Duration

	Traced        bool                       // runs are traced, as part of the trace of the request that starts them
	Clock         clock.Clock                // nil: the machine's
	NewID         func(stocktake.Run) string // returns the id of a run, which is never reused; nil: a random UUID
	Observer      Observer                   // nil: none
	ReportRemover ReportRemover              // nil: nothing is ever removed
	Notifier      Notifier                   // nil: none
	Log           *slog.Logger               // nil: slog.Default()
}

func (o Options) withDefaults() (Options, error) {
	o.MaxRuns = cmp.Or(o.MaxRuns, max(runtime.GOMAXPROCS(0), 2))
	o.Keep = cmp.Or(o.Keep, 100)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 10)
	o.LateAfter = cmp.Or(o.LateAfter, 6*time.Hour)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Window = cmp.Or(o.Window, defaultWindow)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	o.Machine.ID = cmp.Or(o.Machine.ID, randomID(stocktake.Run{}))
	if o.NewID == nil {
		o.NewID = randomID
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

// MaxWindow is the maximum length of a window of incremental reports.
const MaxWindow = 24 * time.Hour

type noObserver struct{}

func (noObserver) RunChanged(stocktake.Run) {}
