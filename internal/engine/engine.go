// Package engine makes reports. [Run] makes a whole report: it plans the segments of
// the run, scans them into shards, and publishes the report. [Plan], [ScanSlice] and
// [Publish] are the same steps separately, for runs that several processes share. The
// package depends on no store: it reads a [Source] and writes a [Destination].
package engine

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// A Job is one attempt of a run. Two calls of [Run] for one run are never made
// at the same time.
type Job struct {
	// Run is the id of the run. The names of its shards are derived from it, the
	// attempt and the segment, and the summary contains it, so that a later attempt
	// finds the files of this one. It may be empty if Seed is set: then it is
	// derived.
	Run     string
	Attempt int // from 1, one more than that of any attempt of the run before

	// Queued is when the run was created: reports of earlier minutes belong to other
	// runs. With the zero value an attempt after the first looks at all reports.
	Queued time.Time

	Bucket        string // the source; the destination is the configuration's
	Configuration stocktake.InventoryConfiguration

	// Expected is how many records the last run has listed, for the progress and the
	// plan of a source that cannot count; 0 if unknown.
	Expected int64

	// Recorded is the value that Options.Record kept for an earlier attempt: that
	// report is published, and nothing is scanned. nil: nothing is recorded.
	Recorded []byte

	// Seed, if not empty, makes the report depend only on the data: times are derived
	// from it, and neither the number of cores nor an earlier report affects how the
	// keys are divided. Two runs over the same data with the same options then write
	// the same bytes.
	Seed string
}

// Options tune a run. The zero value is the setting for production.
type Options struct {
	Workers    int           // segments scanned at once; 0: GOMAXPROCS
	MinSegment int64         // least number of records of a segment; 0: 100,000
	Limits     report.Limits // of a shard
	Slice      Budget        // of ScanSlice; Run scans each segment in one slice

	// Whole makes Plan leave the keys of a PagedSnapshot in one slice, for a caller
	// who scans alone: the scan divides the slice itself, and pages that Plan lists
	// to find cuts would be listed twice.
	Whole bool

	// RollupDepth is how many segments of a key the prefixes of the roll-up have; 0:
	// rollup.DefaultDepth. The slices of a run all have the same.
	RollupDepth int

	// Memory is about how many bytes of encoded rows of a PagedSnapshot may wait for
	// earlier rows to be written. 0: 128 MiB.
	Memory int64

	// Share is the part of its time that a worker may work while there are
	// requests, above 0 to 1; it rests between batches. 0: 1.
	Share float64

	// Requests reports the foreground load: how many requests have begun so far
	// and how many of them are open. All workers call it after each batch, and
	// pause if any has begun since or is open. nil: they always pause.
	Requests func() (begun, open int64)

	// Concurrency returns how many pages of a PagedSnapshot may be requested at once now,
	// out of the number that its store allows. It is called after each page, so that
	// several scans can share the store. nil: all.
	Concurrency func(allowed int) int

	// Previous returns the summary of the previous report, which read reads from the
	// destination; nil if there is none. It may keep the summary for other slices of
	// the run, and must not change it. A nil Previous means that the summary is read
	// each time.
	Previous func(read func() (*stocktake.Summary, error)) (*stocktake.Summary, error)

	// EmptyManifest publishes a report without shards if nothing matched.
	// Without it such a run writes nothing at all, unless the configuration has
	// incremental reports, which are applied to the full one.
	EmptyManifest bool

	// Format is the file format of the shards; nil: the one that the
	// configuration names.
	Format report.Format

	Progress *Progress    // nil: none is kept
	Log      *slog.Logger // nil: slog.Default()

	// Record, if not nil, is called when everything is scanned and before any part of
	// the report becomes visible: the run changes from scanning to publishing. It
	// keeps report, an opaque value, and returns the kept value: report itself, or
	// the report that another attempt of the run has recorded before, which is then
	// published instead. So all attempts write the same manifest, whatever they have
	// scanned and whenever they resume. If attempts follow one another on one
	// machine, Record need not wait for the disk: shards are durable before it is
	// called, and if the value is lost, nothing was recorded. An attempt with
	// Job.Recorded also calls it, with that value. It is not called if there is
	// nothing to publish. An error means that nothing may be published and nothing
	// was kept; the run then ends without leaving files.
	//
	// Once it has returned nil, a failing attempt removes nothing: another attempt
	// may be publishing its files. The caller either begins another attempt with the
	// kept value as Job.Recorded, or ends the run and calls CleanAttempts.
	Record func(ctx context.Context, report []byte) (kept []byte, err error)

	// Failpoint is called with the name of each [Step] once it is done, by the
	// goroutine that did it. It is for tests that kill a run; nil: no callback is
	// made.
	Failpoint func(Step)
}

func (o *Options) log() *slog.Logger { return cmp.Or(o.Log, slog.Default()) }

// A Step of a run, as passed to a failpoint.
type Step string

// The steps of a run, in their order. There is one ShardCreated and one
// ShardCommitted for each shard.
const (
	Recovered      Step = "recovered"       // what earlier attempts left is gone
	Planned        Step = "planned"         // the snapshot is taken, the segments are cut
	ShardCreated   Step = "shard-created"   // the first rows of a shard may be written
	ShardCommitted Step = "shard-committed" // the shard is visible
	Scanned        Step = "scanned"         // all shards are
	Recorded       Step = "recorded"        // Options.Record has kept the report
	SummaryDone    Step = "summary"         // manifest.summary is visible
	RollupDone     Step = "rollup"          // manifest.rollup is, if the report has one
	ChecksumDone   Step = "checksum"        // manifest.checksum is
	SymlinkDone    Step = "symlink"         // symlink.txt is
	ManifestDone   Step = "manifest"        // manifest.json is: the run has succeeded, whatever comes
)

// A Result is the outcome of a run.
type Result struct {
	Manifest string            // key of manifest.json; empty: nothing matched and nothing was written
	Summary  stocktake.Summary // as published, or as it would have been

	// Resumed says that an earlier attempt had already published, and that this
	// attempt only cleaned up.
	Resumed bool
}
