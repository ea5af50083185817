package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
)

// Buckets finds the buckets that configurations name. internal/bucket.Registry
// implements it.
type Buckets interface {
	// Bucket returns the state of a bucket. The service uses its owner and region;
	// an empty one is unknown and not compared. The error is
	// stocktake.ErrNoSuchBucket if there is no such bucket. It asks no other
	// machine: a bucket of a store of the settings need not exist there.
	Bucket(ctx context.Context, name string) (object.Bucket, error)

	// Reach asks the store that holds the bucket, within seconds: nil if it has the
	// bucket, stocktake.ErrNoSuchBucket if it has not; any other error says why the
	// store cannot be asked now.
	Reach(ctx context.Context, name string) error

	// StoreOf returns the name of the store of the settings that holds the bucket;
	// empty: the embedded store, or none.
	StoreOf(name string) string

	// Notes returns, in words, what a person should know of reports on the bucket
	// with these columns; rows is how many the last one had, 0 if none is known.
	Notes(bucket string, columns []stocktake.Field, rows int64) []string
}

// Roles decides what the role of a configuration may do.
type Roles interface {
	// MayReport returns nil if the role may read all of bucket and write the
	// reports of cfg, else an error that is stocktake.ErrAccessDenied and says what
	// is missing, or that the question could not be answered.
	MayReport(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error
}

// A Journal is the part of a [journal.Journal] that the service needs. The contract
// is there.
type Journal interface {
	Subscribe(ctx context.Context, bucket, reader, prefix string) (stocktake.JournalPosition, error)
	Unsubscribe(ctx context.Context, bucket, reader string) error
	Readers(ctx context.Context, bucket string) ([]journal.Reader, error)
	Published(ctx context.Context, bucket, reader string, until stocktake.JournalPosition) error
}

// A Runner makes one attempt of a run: internal/engine with the stores it is
// given.
type Runner interface {
	// Run scans and reports, and blocks until both are done. It ends soon after ctx
	// and then returns an error, unless the report was complete already. In any case
	// it removes the files that it has written and that no manifest names, as far as
	// possible. If the error may pass ([MayPass]), it may keep what the next attempt
	// continues with. A report that an earlier attempt of the same run has completed
	// is not written again: its outcome is returned. If that report has shards, it
	// is found also by an attempt of the same number, as a crash of the machine may
	// make the catalog forget that an attempt was started.
	Run(ctx context.Context, t Task) (Outcome, error)

	// Clean removes the files of attempts of a run that were interrupted, or failed
	// for a reason that may pass, and that are not tried again, except a report that
	// one of them completed.
	Clean(ctx context.Context, t Task) error
}

// A Prober is a [Runner] that can test a destination before a run.
type Prober interface {
	// Probe writes a small file to the destination of cfg, as a run would, and
	// removes it. It returns the error that a run would fail with.
	Probe(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error
}

// A Task describes an attempt to a Runner.
type Task struct {
	// Run has its id, the number of the attempt, and as Started the attempt's
	// time. Expected, if not 0, is how many records the last run has listed.
	Run           stocktake.Run
	Configuration stocktake.InventoryConfiguration

	// Recorded is the report that Record has kept of an earlier attempt; nil: none.
	// The attempt publishes it as it is.
	Recorded []byte

	// Window describes the window of an incremental run; nil: a full run.
	Window *WindowTask

	// Follow must be called at most once, with a function that returns the progress
	// of the run. That function is called from other goroutines, also after Run has
	// returned; it is cheap.
	Follow func(progress func() stocktake.Progress)

	// Record must be called between the last shard and the first file that makes the
	// report visible, with the report's manifest and all else that must not differ
	// between attempts, in an encoding that the Runner chooses. It returns what must
	// be published: report, or what another attempt has recorded before, since a run
	// has only one manifest. It is not called if nothing is published.
	//
	// After an error nothing may be published: the configuration was deleted, the
	// run cancelled, or another process has taken it. After nil the shards that the
	// manifest names belong to the run and no longer to the attempt: a later attempt
	// may be publishing them, so the attempt must not remove them, even if it fails.
	Record func(ctx context.Context, report []byte) (recorded []byte, err error)
}

// A WindowTask places a window among the windows before it.
type WindowTask struct {
	After      stocktake.JournalPosition // the changes of the window begin behind it
	Joined     stocktake.JournalPosition // the end of the last written report
	Subscribed stocktake.JournalPosition // where the configuration began

	// Now is the latest end of a window that the clock has reached: windows before it
	// that have no changes may be passed over. Length is that of windows.
	Now    time.Time
	Length time.Duration
}

// ErrWindowLost is returned by the run of a window whose recorded report can no
// longer be published. The window is made again, without it.
var ErrWindowLost = errors.New("the recorded report of the window cannot be published")

// An Outcome is the result of a run.
type Outcome struct {
	stocktake.Progress
	Manifest string // key of manifest.json; empty if nothing matched and nothing was written

	// Until and Next are of the run of a window: the position behind its last change,
	// and the start of the next window that may have changes.
	Until stocktake.JournalPosition
	Next  time.Time
}

// An Observer is called when runs change, for metrics. Its methods are called from
// several goroutines, and the run waits for them.
type Observer interface {
	// RunChanged is called after the catalog has recorded a new state of a run,
	// except Queued. A skipped run is reported when it is made.
	RunChanged(r stocktake.Run)
}

// A Tidier removes the reports that need not be kept, and files that no report
// names.
type Tidier interface {
	// Tidy is called after a run has succeeded; the next one may begin meanwhile.
	// The report of that run is never removed. Tidy ends soon after ctx. warnings
	// are for people, and not failures.
	Tidy(ctx context.Context, t Tidying) (warnings []string, err error)
}

// A Tidying describes the work of a Tidier.
type Tidying struct {
	Entry    Entry
	Manifest string // of the run that has succeeded; empty: it has published nothing

	// Suspect says that recent attempts ended badly and may have left files.
	Suspect bool

	// Unreported is the start of the next incremental report: what lies in the folders
	// of windows that end later may be one that is just being published. Zero: the
	// configuration has no more incremental reports to come.
	Unreported time.Time
}
