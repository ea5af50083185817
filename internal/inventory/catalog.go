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
	Wake      time.Time // when the scheduler makes that run: Due, or later to spread the load; zero if Due is zero
	Suspended bool      // no scheduled runs until it is resumed
	Retention stocktake.Retention

	// Windows is kept with a new configuration that has incremental reports. It is
	// nil in entries that are read: see [WindowCatalog].
	Windows *Windows
}

// Windows is the progress of the incremental reports of a configuration. The windows are
// consecutive; at most one of them has an unfinished run.
type Windows struct {
	Bucket, ID string
	Start      time.Time // of the next window, in whole seconds
	Wake       time.Time // when the scheduler makes its run; zero: a run of it has not ended

	After      stocktake.JournalPosition // the changes of the next window begin after it
	Joined     stocktake.JournalPosition // the end of the last written report
	Subscribed stocktake.JournalPosition // where the configuration began

	Recorded []byte // the report of the next window that a failed run has recorded, and that must be published; nil: none
}

// A Replacement replaces a configuration by another one of the same bucket and id.
type Replacement struct {
	// Old is the configuration to replace, as it was read.
	Old Entry

	// New has the document and Created, Due and Wake. Its Windows are added if there
	// are none. Its Suspended and Retention are ignored.
	New Entry

	// EndsWindows says that New has no incremental reports: the progress of those of Old is
	// removed.
	EndsWindows bool

	// First is a full run that the replacement starts; nil: none.
	First *stocktake.Run
}

// Errors of ReplaceConfiguration.
var (
	ErrEntryChanged  = errors.New("the configuration has changed since it was read")
	ErrRunUnfinished = errors.New("a run of the configuration has not ended")
)

// An EntryStatus is an entry and its last run.
type EntryStatus struct {
	Entry
	Succeeded time.Time      // end of the newest successful full run in the history; zero: none
	Last      *stocktake.Run // the newest full run that was not skipped; nil: there is none yet
}

// A Holder is a process that works on runs. The zero Holder means none: a run recorded with it
// waits until a process takes it.
type Holder struct {
	// Owner identifies one start of a process. It is never reused: a restarted process has a new
	// one.
	Owner string

	// Lease is how long no other process may take a run after it was made, taken or
	// renewed; above 0. The catalog measures it by a clock that cannot be moved: the
	// machine's, or that of the database server.
	Lease time.Duration
}

// Postponed is the owner of runs that wait for their next attempt. It is not a process; the lease
// is the time that they wait. See [RunCatalog.RetryRun].
const Postponed = "postponed"

// A Fence is the condition that a run must meet for a change. It rejects the changes of a process
// whose run another process has taken meanwhile: the run has another owner or a later attempt then.
type Fence struct {
	State   stocktake.RunState
	Owner   string
	Attempt int
}

// A HeldRun is an unfinished run as its holder sees it.
type HeldRun struct {
	Run      stocktake.Run
	Cancel   bool // its end was requested: see [RunCatalog.RequestCancel]
	Recorded bool // an attempt has recorded a report: see [RunCatalog.PublishRun]
}

// An End describes the changes of the catalog that go with the end of a run.
type End struct {
	Keep    int      // how many ended runs of the configuration and kind are kept, the newest ones
	Remove  bool     // removes the configuration, unless it was replaced since the run was made; its runs stay
	Notices []Notice // to be delivered

	// Windows replaces the windows of the configuration, unless it was removed. nil: they stay.
	Windows *Windows
}

// A Notice is a message for a receiver outside. It is kept until it is delivered
// or given up, and for a while longer.
type Notice struct {
	ID       string // unique for ever
	Target   string // name of the receiver
	Made     time.Time
	Payload  string
	Attempts int       // made so far
	Due      time.Time // when to try next; zero: delivered or given up
	Error    string    // of the last attempt; empty: it has succeeded, or there was none
	Answer   int       // status of HTTP that the receiver answered last; 0: none

	Delivered time.Time // when the receiver accepted it; zero: not yet

	// Subject of the notice; empty in notices of earlier versions and in test
	// notices.
	Bucket, Configuration, Run string
}

// A NoticeState is the state of a notice's delivery.
type NoticeState string

// The states of a notice.
const (
	NoticeWaiting   NoticeState = "waiting"   // to be sent, for the first time or again
	NoticeDelivered NoticeState = "delivered" // the receiver has taken it
	NoticeDead      NoticeState = "dead"      // given up
)

// State returns the state of the notice's delivery.
func (n *Notice) State() NoticeState {
	switch {
	case !n.Delivered.IsZero():
		return NoticeDelivered
	case n.Due.IsZero():
		return NoticeDead
	}
	return NoticeWaiting
}

// A NoticeQuery selects notices. Empty fields select all.
type NoticeQuery struct {
	State                 NoticeState
	Bucket, Configuration string // Configuration only with Bucket

	// Before is the last notice of the previous page; only Made and ID are used. The zero value
	// starts with the newest notice.
	Before Notice
}

// A Step moves a configuration on to its next due time and makes the run of the
// present one.
type Step struct {
	Bucket, ID string
	From       time.Time // Entry.Due as read; a step that was already made is skipped
	Due, Wake  time.Time // what follows
	Run        stocktake.Run
}

// A Catalog keeps configurations and runs. internal/catalog/sqlite has it on
// SQLite; catalogtest holds every implementation to the promises made here.
//
// Each method is one atomic step: after an error nothing has changed. After nil the change is
// durable: it survives a crash of the process and of the machine. Methods that are documented as
// durable for the process alone do not wait for a disk: a crash of the machine may undo their
// latest changes, the last one first, but no change made before a durable one.
//
// Times are kept to the microsecond. All methods may be called at once from many
// goroutines, and by several processes on one catalog.
type Catalog interface {
	ConfigurationCatalog
	ScheduleCatalog
	RunCatalog
	WindowCatalog
	LateCatalog
}

// A ConfigurationCatalog keeps configurations.
type ConfigurationCatalog interface {
	// AddConfiguration stores a new configuration with its windows and, unless first is nil, its
	// first run, held by by. Errors: stocktake.ErrInventoryExists, then
	// stocktake.ErrInventoryExceedLimit if the bucket already has limit of them. Runs of an earlier
	// configuration of the same id are removed.
	AddConfiguration(ctx context.Context, e Entry, first *stocktake.Run, by Holder, limit int) error

	// ReplaceConfiguration replaces r.Old by r.New, and adds r.First to the history, held by by.
	// Runs, retention and suspension stay; an unfinished full run keeps its configuration: see
	// RunConfiguration. It returns the replaced document. Errors: stocktake.ErrNoSuchInventory,
	// then ErrEntryChanged, then ErrRunUnfinished.
	ReplaceConfiguration(ctx context.Context, r Replacement, by Holder) (before []byte, err error)

	// RunConfiguration returns the configuration of a run: the present one, or the one that was
	// replaced after the run was recorded. The error is stocktake.ErrNoSuchInventory if the run or
	// the configuration was removed.
	RunConfiguration(ctx context.Context, run string) (stocktake.InventoryConfiguration, error)

	// Document returns a configuration as inventoryxml.Append wrote it when it was
	// put, or stocktake.ErrNoSuchInventory for an unknown id.
	Document(ctx context.Context, bucket, id string) ([]byte, error)

	// Documents returns up to max of them whose id sorts after after, in ascending
	// order of id bytes, and the id of the last one if there are more; else "".
	Documents(ctx context.Context, bucket, after string, max int) (page [][]byte, next string, err error)

	// Configuration returns stocktake.ErrNoSuchInventory for an unknown id.
	Configuration(ctx context.Context, bucket, id string) (Entry, error)

	// Configurations returns up to max entries whose id sorts after after, in
	// ascending order of id bytes, and whether there are more.
	Configurations(ctx context.Context, bucket, after string, max int) (page []Entry, more bool, err error)

	// EntryStatus returns stocktake.ErrNoSuchInventory for an unknown id.
	EntryStatus(ctx context.Context, bucket, id string) (EntryStatus, error)

	// EntryStatuses returns those of all configurations of a bucket, in ascending
	// order of id bytes.
	EntryStatuses(ctx context.Context, bucket string) ([]EntryStatus, error)

	// SetRetention returns stocktake.ErrNoSuchInventory for an unknown id.
	SetRetention(ctx context.Context, bucket, id string, r stocktake.Retention) error

	// RemoveConfiguration removes a configuration and its runs, or nothing if
	// there is none.
	RemoveConfiguration(ctx context.Context, bucket, id string) error

	// RemoveBucket removes all configurations and runs of a bucket.
	RemoveBucket(ctx context.Context, bucket string) error

	// Buckets returns up to max buckets that have or had configurations and sort
	// after after, ascending.
	Buckets(ctx context.Context, after string, max int) ([]string, error)

	// NestedConfigurations returns the configurations of all buckets whose id has a slash. Earlier
	// versions accepted such ids; the folders of their reports may be those of other
	// configurations.
	NestedConfigurations(ctx context.Context) ([]Entry, error)

	// CountConfigurations counts the configurations of all buckets.
	CountConfigurations(ctx context.Context) (int64, error)
}

// A ScheduleCatalog keeps the due times of configurations.
type ScheduleCatalog interface {
	// Due returns up to max entries whose Wake is at or before now, earliest first.
	Due(ctx context.Context, now time.Time, max int) ([]Entry, error)

	// NextWake returns the earliest Wake of all; the zero time if there is none.
	NextWake(ctx context.Context) (time.Time, error)

	// Advance makes all steps in one atomic step. The run of a step is queued and held by by if its
	// configuration has no unfinished run of the same kind; otherwise it is stored with state
	// Skipped and its Reason. Advance returns the recorded runs, and keeps the newest keep ended
	// runs of the kind for each configuration. A step whose configuration was removed, or whose
	// From is not the present Due, has no effect.
	Advance(ctx context.Context, steps []Step, by Holder, keep int) ([]stocktake.Run, error)

	// SetDue sets Due, Wake and Suspended of all entries. If one does not exist, it sets none and
	// returns stocktake.ErrNoSuchInventory.
	SetDue(ctx context.Context, entries ...Entry) error
}

// A RunCatalog keeps runs and their holders.
//
// Methods that take a [Fence] return stocktake.ErrNoSuchRun, and change nothing, if the run does
// not match it: the run was removed with its configuration, has ended, or is held by another
// process.
type RunCatalog interface {
	// AddRun stores a queued run, held by by. If its configuration has an unfinished run of the
	// same kind, AddRun returns that one and false. The error is stocktake.ErrNoSuchInventory if
	// the configuration does not exist.
	AddRun(ctx context.Context, r stocktake.Run, by Holder) (run stocktake.Run, added bool, err error)

	// TakeRuns moves up to max unfinished runs of other holders to by. Runs in state Scanning or
	// Publishing are queued again with the next attempt. It returns the changed runs, by id; fewer
	// than max means that no others exist.
	TakeRuns(ctx context.Context, by Holder, max int) ([]HeldRun, error)

	// FreeRuns returns up to max queued runs without a holder. The first runs of every bucket and
	// destination precede the second ones; among the runs of one bucket and destination, manual
	// runs precede scheduled ones.
	FreeRuns(ctx context.Context, each, max int) ([]stocktake.Run, error)

	// TakeFreeRuns moves the runs of ids that have no holder to by, and returns them, by id. A
	// [Postponed] run counts as free if its end was requested.
	TakeFreeRuns(ctx context.Context, by Holder, ids ...string) ([]HeldRun, error)

	// FreeExpired frees the unfinished runs whose lease has expired, and returns their number. They
	// are queued, with the next attempt if they were in state Scanning or Publishing. [Postponed]
	// runs are freed, too, but not counted.
	FreeExpired(ctx context.Context) (int64, error)

	// RenewRuns extends the leases of by and stores the progress of the runs that it holds, by id;
	// other ids are ignored. It returns all runs that by holds, by id. It is durable for the
	// process alone.
	RenewRuns(ctx context.Context, by Holder, progress map[string]stocktake.Progress) ([]HeldRun, error)

	// ReleaseRuns frees the runs of an owner as FreeExpired does: those of ids, or all if ids is
	// empty.
	ReleaseRuns(ctx context.Context, owner string, ids ...string) error

	// RequestCancel records the request to end an unfinished run. The holder of the run carries it
	// out. A run that has ended or does not exist is unchanged.
	RequestCancel(ctx context.Context, id string) error

	// StartRun replaces a run by r, which is in state Scanning. It is durable for the process
	// alone.
	StartRun(ctx context.Context, r stocktake.Run, fence Fence) error

	// RetryRun replaces a run by r, which is queued again and held by by: the process that makes
	// the next attempt, or [Postponed] if any process may make it later.
	RetryRun(ctx context.Context, r stocktake.Run, fence Fence, by Holder) error

	// PublishRun replaces a run by r, which is in state Publishing, and records its report: the
	// manifest, in an encoding that only the [Runner] reads. It returns the recorded report:
	// report, or the one of an earlier attempt, since a run has only one manifest. The record is
	// removed when the run ends.
	//
	// It is durable if durable is true, otherwise for the process alone.
	PublishRun(ctx context.Context, r stocktake.Run, fence Fence, report []byte, durable bool) (recorded []byte, err error)

	// RecordedReport returns the report that PublishRun has recorded; nil if none.
	RecordedReport(ctx context.Context, id string) ([]byte, error)

	// EndRun replaces a run by r, which has ended.
	EndRun(ctx context.Context, r stocktake.Run, fence Fence, end End) error

	// Run returns the run of an id, or stocktake.ErrNoSuchRun.
	Run(ctx context.Context, id string) (stocktake.Run, error)

	// Runs returns the runs of a configuration, newest first.
	Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error)

	// NewestRuns returns the first max of Runs.
	NewestRuns(ctx context.Context, bucket, id string, max int) ([]stocktake.Run, error)

	// CleanRuns reports whether each of the first max of Runs was skipped, or succeeded
	// at its first attempt.
	CleanRuns(ctx context.Context, bucket, id string, max int) (bool, error)

	// UnfinishedRuns returns the runs of a configuration that have not ended, at
	// most one of each kind, newest first.
	UnfinishedRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error)

	// BegunRuns returns the runs in state Scanning or Publishing: of a configuration, of a bucket
	// if id is empty, or of all buckets if bucket is empty, too. They are in the order in which
	// they were queued.
	BegunRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error)

	// LastListed returns how many records the last successful run of a
	// configuration and kind has listed; -1 if there is none.
	LastListed(ctx context.Context, bucket, id string, kind stocktake.RunKind) (int64, error)

	// ForgetRuns removes the runs that ended before t and whose configuration was removed.
	ForgetRuns(ctx context.Context, t time.Time) error
}

// A WindowCatalog keeps the progress of incremental reports, which is removed with
// the configuration.
type WindowCatalog interface {
	// Windows returns stocktake.ErrNoSuchInventory if the configuration does not exist or has no
	// incremental reports.
	Windows(ctx context.Context, bucket, id string) (Windows, error)

	// DueWindows returns up to max whose Wake is at or before now, earliest first.
	// Those of suspended configurations are left out.
	DueWindows(ctx context.Context, now time.Time, max int) ([]Windows, error)

	// NextWindow returns the earliest Wake of those that are not suspended; the zero
	// time if there is none.
	NextWindow(ctx context.Context) (time.Time, error)

	// AddWindowRun stores a queued run of the window r.Window, held by by, and sets Wake to zero.
	// It stores none and returns false if r.Window is not the next window of the configuration, if
	// Wake is zero, or if the configuration has an unfinished incremental run.
	AddWindowRun(ctx context.Context, r stocktake.Run, by Holder) (added bool, err error)

	// WakeWindows sets Wake, if w.Start is the start of the next window and Wake is
	// not zero.
	WakeWindows(ctx context.Context, w Windows) error
}

// A LateCatalog records which runs are late.
type LateCatalog interface {
	// MarkLate marks up to max unfinished runs that were due at or before due, earliest first, and
	// returns them. notices is called for each and returns its notices. A run is marked once.
	MarkLate(ctx context.Context, due time.Time, max int, notices func(stocktake.Run) []Notice) ([]stocktake.Run, error)

	// RecoversFrom returns the conditions that end if an unfinished run succeeds: whether it is
	// marked as late, and whether the last run of its configuration and kind that succeeded or
	// failed has failed. Error: stocktake.ErrNoSuchRun.
	RecoversFrom(ctx context.Context, id string) (late, failure bool, err error)

	// NextLate returns the earliest Due of the runs that have not ended and are not
	// marked; the zero time if there is none.
	NextLate(ctx context.Context) (time.Time, error)
}

// ErrNoSuchNotice reports a notice that does not exist, or no longer exists.
var ErrNoSuchNotice = errors.New("no such notice")

// A NoticeCatalog keeps notices until they are delivered. The service adds them with EndRun and
// MarkLate.
type NoticeCatalog interface {
	// Targets returns the receivers that have pending notices, ascending.
	Targets(ctx context.Context) ([]string, error)

	// DueNotices returns up to max notices for target that are due at or before now,
	// earliest first.
	DueNotices(ctx context.Context, target string, now time.Time, max int) ([]Notice, error)

	// NextNotice returns the earliest Due of the notices of target; the zero time if
	// there is none.
	NextNotice(ctx context.Context, target string) (time.Time, error)

	// AddNotice keeps a notice.
	AddNotice(ctx context.Context, n Notice) error

	// SetNotice keeps Attempts, Due, Error, Answer and Delivered of a notice, or returns
	// ErrNoSuchNotice.
	SetNotice(ctx context.Context, n Notice) error

	// DeliverNotice does what SetNotice does for a notice that was delivered, and keeps
	// the keep newest delivered notices of its target. It is durable for the process
	// alone.
	DeliverNotice(ctx context.Context, n Notice, keep int) error

	// Notices returns up to max notices, the newest first.
	Notices(ctx context.Context, q NoticeQuery, max int) ([]Notice, error)

	// Notice returns a notice, or ErrNoSuchNotice.
	Notice(ctx context.Context, id string) (Notice, error)

	// RemoveNotice removes a notice; a missing one is not an error.
	RemoveNotice(ctx context.Context, id string) error

	// DeadNotices returns up to max notices that were given up and whose id sorts
	// after after, by id.
	DeadNotices(ctx context.Context, after string, max int) ([]Notice, error)

	// ForgetNotices removes the notices that were delivered or given up and made before t.
	ForgetNotices(ctx context.Context, t time.Time) error
}

// A StrayCatalog records files that no manifest names.
type StrayCatalog interface {
	// Strays replaces the recorded keys of a configuration by found, and returns for each when it
	// was first found: now for new keys, and for those recorded with a time after now.
	Strays(ctx context.Context, bucket, id string, found []string, now time.Time) (map[string]time.Time, error)

	// HasStrays reports whether any key is recorded for a configuration.
	HasStrays(ctx context.Context, bucket, id string) (bool, error)
}
