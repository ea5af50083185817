package inventory

import (
	"context"
	"errors"
	"time"

	"github.com/stocktake/stocktake"
)

// An Entry is a configuration as the catalog keeps it.
type Entry struct {
	Bucket        string
	Configuration stocktake.InventoryConfiguration
	Created       time.Time // when it was put

	Due       time.Time // the next scheduled run's time; zero: none
	Wake      time.Time // when the scheduler makes that run: Due, or somewhat later to spread the work; zero as Due
	Suspended bool      // scheduled runs are left out until it is resumed
	Retention stocktake.Retention
}

// A Standing is an entry and how its runs stand.
type Standing struct {
	Entry
	Last *stocktake.Run // the newest run that was not skipped; nil: there is none yet
}

// An End is what else happens when a run ends.
type End struct {
	Keep    int      // of the configuration's runs that have ended, the newest so many are kept
	Remove  bool     // the configuration goes; its runs stay
	Notices []Notice // to be told
}

// A Notice is something to be told to the world: it is kept until it was told,
// or given up.
type Notice struct {
	ID       string // unique for ever
	Target   string // whom to tell
	Made     time.Time
	Payload  string
	Attempts int       // made so far
	Due      time.Time // when to try next; zero: given up
	Error    string    // of the last attempt
}

// A Step moves a configuration on to its next due time and makes the run of the
// present one.
type Step struct {
	Bucket, ID string
	From       time.Time // Entry.Due as it was read: a step that somebody else has made already is left out
	Due, Wake  time.Time // what follows
	Run        stocktake.Run
}

// A Catalog keeps configurations and runs. internal/catalog/sqlite has it on SQLite;
// catalogtest holds every implementation to the promises made here.
//
// Each method is one atomic step: what it answers with nil survives a crash of
// the machine, but for MoveRun, and with an error nothing has changed. Times are kept to the
// microsecond. All methods may be called at once from many goroutines.
type Catalog interface {
	ConfigurationCatalog
	ScheduleCatalog
	RunCatalog
	LateCatalog
}

// A ConfigurationCatalog keeps configurations.
type ConfigurationCatalog interface {
	// AddConfiguration keeps a new configuration and, unless first is nil, its
	// first run. Errors: stocktake.ErrInventoryExists, then
	// stocktake.ErrInventoryExceedLimit if the bucket has limit of them already.
	// Runs that a configuration of the same id has left are forgotten.
	AddConfiguration(ctx context.Context, e Entry, first *stocktake.Run, limit int) error

	// Document returns a configuration as inventoryxml.Append wrote it when it was
	// added, or stocktake.ErrNoSuchInventory for an unknown id.
	Document(ctx context.Context, bucket, id string) ([]byte, error)

	// Documents returns up to max of them whose id sorts after after, in ascending
	// order of id bytes, and the id of the last one if there are more; else "".
	Documents(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error)

	// Configuration gives stocktake.ErrNoSuchInventory for an unknown id.
	Configuration(ctx context.Context, bucket, id string) (Entry, error)

	// Configurations gives up to max entries whose id sorts after after, in
	// ascending order of id bytes, and whether there are more.
	Configurations(ctx context.Context, bucket, after string, max int) (page []Entry, more bool, err error)

	// Standing gives stocktake.ErrNoSuchInventory for an unknown id.
	Standing(ctx context.Context, bucket, id string) (Standing, error)

	// Standings gives those of all configurations of a bucket, in ascending order
	// of id bytes.
	Standings(ctx context.Context, bucket string) ([]Standing, error)

	// SetRetention gives stocktake.ErrNoSuchInventory for an unknown id.
	SetRetention(ctx context.Context, bucket, id string, r stocktake.Retention) error

	// RemoveConfiguration removes a configuration and its runs, or nothing if
	// there is none.
	RemoveConfiguration(ctx context.Context, bucket, id string) error

	// RemoveBucket removes all configurations and runs of a bucket.
	RemoveBucket(ctx context.Context, bucket string) error

	// Buckets gives up to max buckets that have or had configurations and sort
	// after after, ascending.
	Buckets(ctx context.Context, after string, max int) ([]string, error)

	// CountConfigurations counts the configurations of all buckets.
	CountConfigurations(ctx context.Context) (int64, error)
}

// A ScheduleCatalog keeps when configurations are due.
type ScheduleCatalog interface {
	// Due gives up to max entries to wake at or before now, earliest first.
	Due(ctx context.Context, now time.Time, max int) ([]Entry, error)

	// NextWake gives the earliest Wake of all; the zero time if there is none.
	NextWake(ctx context.Context) (time.Time, error)

	// Advance makes steps, all in one. The run of a step is queued if no run of
	// its configuration goes, else it is kept with state Skipped and its Reason.
	// It returns the runs made, and of each configuration keeps the newest keep
	// runs that have ended. A step whose configuration is gone or whose From is
	// not the present Due makes nothing.
	Advance(ctx context.Context, steps []Step, keep int) ([]stocktake.Run, error)

	// SetDue sets Due, Wake and Suspended of all entries, or of none if one is
	// gone: stocktake.ErrNoSuchInventory.
	SetDue(ctx context.Context, entries ...Entry) error
}

// A RunCatalog keeps runs.
type RunCatalog interface {
	// AddRun keeps a queued run, unless one of its configuration goes: that one is
	// returned then, with false. stocktake.ErrNoSuchInventory if the
	// configuration is gone.
	AddRun(ctx context.Context, r stocktake.Run) (run stocktake.Run, added bool, err error)

	// UpdateRun replaces the run of r's id if it is in state from, else it gives
	// stocktake.ErrNoSuchRun: the run has gone with its configuration, or somebody
	// else has moved it. r has not ended.
	UpdateRun(ctx context.Context, r stocktake.Run, from stocktake.RunState) error

	// MoveRun is UpdateRun that a crash of the machine may undo, though not the end
	// of the process, until another method but this has returned nil: nothing is
	// undone before something that stays. It is for what a new process would find
	// out by itself, and does not wait for the disk.
	MoveRun(ctx context.Context, r stocktake.Run, from stocktake.RunState) error

	// EndRun is UpdateRun for a run that has ended.
	EndRun(ctx context.Context, r stocktake.Run, from stocktake.RunState, end End) error

	// SaveProgress keeps the progress of runs that have not ended, by id; those
	// that have, or are gone, are left alone.
	SaveProgress(ctx context.Context, progress map[string]stocktake.Progress) error

	// Run gives the run of an id, or stocktake.ErrNoSuchRun.
	Run(ctx context.Context, id string) (stocktake.Run, error)

	// Runs gives the runs of a configuration, newest first.
	Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error)

	// NewestRuns gives the first max of Runs.
	NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error)

	// Going gives the run of a configuration that has not ended, or
	// stocktake.ErrNoSuchRun. There is never more than one.
	Going(ctx context.Context, bucket, id string) (stocktake.Run, error)

	// Unfinished gives up to max runs that have not ended, whose id sorts after
	// after, by id.
	Unfinished(ctx context.Context, after string, max int) ([]stocktake.Run, error)

	// Previous gives the newest run of a configuration that has succeeded or
	// failed, or stocktake.ErrNoSuchRun.
	Previous(ctx context.Context, bucket, id string) (stocktake.Run, error)

	// LastListed gives how many records the last successful run of a
	// configuration has listed; -1 if there is none.
	LastListed(ctx context.Context, bucket, id string) (int64, error)

	// ForgetRuns removes the runs that ended before t and whose configuration is
	// gone.
	ForgetRuns(ctx context.Context, t time.Time) error
}

// A LateCatalog knows which runs are late.
type LateCatalog interface {
	// MarkLate marks up to max runs that have not ended and were due at or before
	// due, those due first before the others, and returns them. notices is asked
	// for what is to be told of each. A run is marked once.
	MarkLate(ctx context.Context, due time.Time, max int, notices func(stocktake.Run) []Notice) ([]stocktake.Run, error)

	// NextLate gives the earliest Due of the runs that have not ended and are not
	// marked; the zero time if there is none.
	NextLate(ctx context.Context) (time.Time, error)
}

// ErrNoSuchNotice is a notice that is not, or no longer, kept.
var ErrNoSuchNotice = errors.New("no such notice")

// A NoticeCatalog keeps notices. Who delivers them needs it; the service makes
// them by EndRun and MarkLate.
type NoticeCatalog interface {
	// Targets gives whom there is something to tell, ascending.
	Targets(ctx context.Context) ([]string, error)

	// DueNotices gives up to max notices to tell target at or before now, earliest
	// first.
	DueNotices(ctx context.Context, target string, now time.Time, max int) ([]Notice, error)

	// NextNotice gives the earliest Due of the notices of target; the zero time if
	// there is none.
	NextNotice(ctx context.Context, target string) (time.Time, error)

	// SetNotice keeps Attempts, Due and Error of a notice, or gives
	// ErrNoSuchNotice.
	SetNotice(ctx context.Context, n Notice) error

	// Notice gives a notice, or ErrNoSuchNotice.
	Notice(ctx context.Context, id string) (Notice, error)

	// RemoveNotice removes a notice that was told; a missing one is no error.
	RemoveNotice(ctx context.Context, id string) error

	// DeadNotices gives up to max notices that were given up and whose id sorts
	// after after, by id.
	DeadNotices(ctx context.Context, after string, max int) ([]Notice, error)

	// ForgetNotices removes the notices that were given up and made before t.
	ForgetNotices(ctx context.Context, t time.Time) error
}

// A StrayCatalog remembers files that no manifest names.
type StrayCatalog interface {
	// Strays replaces what is remembered of a configuration by the keys found, and
	// gives for each when it was first found: now for those that are new.
	Strays(ctx context.Context, bucket, id string, found []string, now time.Time) (map[string]time.Time, error)

	// HasStrays tells whether any key is remembered of a configuration.
	HasStrays(ctx context.Context, bucket, id string) (bool, error)
}
