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
	// Bucket returns the state of a bucket. The service uses its owner and region; an empty one is
	// unknown and not compared. The error is stocktake.ErrNoSuchBucket if there is no such bucket.
	// It contacts no other machine: a bucket of a named store need not exist there.
	Bucket(ctx context.Context, name string) (object.Bucket, error)

	// CheckBucket asks the store of the bucket, within seconds. It returns nil if the bucket exists,
	// stocktake.ErrNoSuchBucket if it does not, and any other error if the store does not answer.
	CheckBucket(ctx context.Context, name string) error

	// StoreOf returns the name of the named store that has the bucket; empty: the embedded store,
	// or none.
	StoreOf(name string) string

	// Notes returns remarks for people about reports on the bucket with these columns; rows is the
	// number of rows of the last report, 0 if unknown.
	Notes(bucket string, columns []stocktake.Field, rows int64) []string
}

// Roles decides what the role of a configuration may do.
type Roles interface {
	// MayReport returns nil if the role may read all of bucket and write the reports of cfg,
	// otherwise an error that is stocktake.ErrAccessDenied and names the missing right, or any
	// other error if this cannot be decided.
	MayReport(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error
}

// A Journal is the part of a [journal.Journal] that the service needs; see its contract.
type Journal interface {
	Subscribe(ctx context.Context, bucket, reader, prefix string) (stocktake.JournalPosition, error)
	Unsubscribe(ctx context.Context, bucket, reader string) error
	Readers(ctx context.Context, bucket string) ([]journal.Reader, error)
	Published(ctx context.Context, bucket, reader string, until stocktake.JournalPosition) error
}

// A Runner makes the attempts of runs, such as internal/engine with its stores.
type Runner interface {
	// Run scans, writes the report, and blocks until it is complete. It returns an error soon after
	// ctx ends, unless the report was already complete. In any case it removes, as far as possible,
	// the files that it has written and that no manifest names. If the error is a passing one
	// ([MayPass]), it may keep files with which the next attempt resumes. If an earlier attempt of
	// the same run has completed a report, Run does not write it again and returns its outcome. It
	// also finds a report with shards of an attempt of the same number, since a crash of the
	// machine may make the catalog forget the start of an attempt.
	Run(ctx context.Context, t Task) (Outcome, error)

	// Clean removes the files of a run whose attempts were interrupted or failed with a passing
	// error, and which is not attempted again. A report that an attempt completed stays.
	Clean(ctx context.Context, t Task) error
}

// A Prober is a [Runner] that can test a destination before a run.
type Prober interface {
	// Probe writes a small file to the destination of cfg, as a run would, and removes it. It
	// returns the error with which a run would fail.
	Probe(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error
}

// A Task describes an attempt to a Runner.
type Task struct {
	// Run has its id, the number of the attempt, and in Started the start of the attempt. Expected,
	// if not 0, is the number of records that the last run listed.
	Run           stocktake.Run
	Configuration stocktake.InventoryConfiguration

	// Recorded is the report that Record stored for an earlier attempt; nil: none. The attempt
	// publishes it unchanged.
	Recorded []byte

	// Window describes the window of an incremental run; nil: a full run.
	Window *WindowTask

	// Follow must be called at most once, with a function that returns the progress of the run.
	// That function is called from other goroutines, even after Run has returned; it is cheap.
	Follow func(progress func() stocktake.Progress)

	// Record must be called between the last shard and the first file that makes the report
	// visible, with the report's manifest and everything else that must not differ between
	// attempts, in an encoding that the Runner chooses. It returns the report to publish: report,
	// or the one that an earlier attempt recorded, since a run has only one manifest. It is not
	// called if nothing is published.
	//
	// After an error nothing may be published: the configuration was deleted, the
	// run cancelled, or another process has taken it. After nil the shards that the
	// manifest names belong to the run and no longer to the attempt: a later attempt
	// may be publishing them, so the attempt must not remove them, even if it fails.
	Record func(ctx context.Context, report []byte) (recorded []byte, err error)
}

// A WindowTask places a window among the windows before it.
type WindowTask struct {
	After      stocktake.JournalPosition // the changes of the window begin after it
	Joined     stocktake.JournalPosition // the end of the last written report
	Subscribed stocktake.JournalPosition // where the configuration began

	// Now is the latest end of a window that the clock has reached: earlier windows without changes
	// may be skipped. Length is the length of windows.
	Now    time.Time
	Length time.Duration
}

// ErrWindowLost reports that the recorded report of a window can no longer be published. The window
// is made again, without that report.
var ErrWindowLost = errors.New("the recorded report of the window cannot be published")

// An Outcome is the result of a run.
type Outcome struct {
	stocktake.Progress
	Manifest string // key of manifest.json; empty if nothing matched and nothing was written

	// Until and Next are set for the run of a window: the position after its last change, and the
	// start of the next window that may have changes.
	Until stocktake.JournalPosition
	Next  time.Time
}

// An Observer is called when runs change, for metrics. Its methods are called from
// several goroutines, and the run waits for them.
type Observer interface {
	// RunChanged is called after the catalog has recorded a new state of a run, except Queued. A
	// skipped run is reported when it is recorded.
	RunChanged(r stocktake.Run)
}

// A ReportRemover removes expired reports, and files that no report names.
type ReportRemover interface {
	// RemoveReports is called after a run has succeeded; the next one may start meanwhile. The report of
	// that run is never removed. RemoveReports returns soon after ctx ends. warnings are remarks for people,
	// not failures.
	RemoveReports(ctx context.Context, t RemovalJob) (warnings []string, err error)
}

// A RemovalJob describes the work of a ReportRemover.
type RemovalJob struct {
	Entry    Entry
	Manifest string // of the run that succeeded; empty: it published nothing

	// Suspect says that recent attempts ended badly and may have left files.
	Suspect bool

	// Unreported is the start of the next incremental report: files in the folders of windows that
	// end later may belong to a report that is being published. Zero: the configuration has no
	// further incremental reports.
	Unreported time.Time
}
