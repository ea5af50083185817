// Package engine makes one report: it plans the segments of a run, scans them,
// and publishes what they left as shards. It knows no store; [Source] and
// [Destination] are what it needs of one.
package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// A Job is one attempt of a run. Two attempts of a run never go on at once.
type Job struct {
	// Run is the id of the run. The names of its shards follow from it, the
	// attempt and the segment, and the summary carries it, so that a later
	// attempt finds what this one left. It may be empty if Seed is set: then it
	// is derived.
	Run     string
	Attempt int // from 1, one more than any attempt of the run before

	// Queued is when the run was made: no report of an earlier minute is its own.
	// With the zero value an attempt after the first looks at all reports.
	Queued time.Time

	Bucket        string // the source; the destination is the configuration's
	Configuration stocktake.InventoryConfiguration

	// Expected is how many records the last run has listed, for the progress and
	// the plan of a source that cannot count; 0: not known.
	Expected int64

	// Seed, if not empty, makes the report follow from the data alone: times are
	// derived from it, and neither the number of cores nor an earlier report has
	// a say in how the keys are cut. Two runs over the same data with the same
	// options then give the same bytes.
	Seed string
}

// Options tune a run. The zero value is what production runs.
type Options struct {
	Workers    int           // segments scanned at once; 0: GOMAXPROCS
	MinSegment int64         // records for which a segment of their own is worth it; 0: 100,000
	Limits     report.Limits // of a shard

	// Share is the part of its time that a worker may work while others want the
	// machine, above 0 to 1; it rests between batches. 0: 1.
	Share float64

	// Requests are those others: how many have come so far and how many of them
	// are not answered yet. All workers call it after each batch, and make way if
	// any came meanwhile or is open. nil: always.
	Requests func() (begun, open int64)

	// EmptyManifest publishes a report without shards if nothing matched.
	// Without it such a run writes nothing at all.
	EmptyManifest bool

	// Format is the file format of the shards; nil: the one that the
	// configuration names.
	Format report.Format

	Progress *Progress    // nil: none is kept
	Log      *slog.Logger // nil: slog.Default()

	// Publish is called once everything is scanned and before anything of the
	// report becomes visible: the run goes from Scanning to Publishing. An error
	// ends the run with nothing left. nil: nobody is asked.
	Publish func(context.Context) error

	// Failpoint is called with the name of each [Step] once it is done, by the
	// goroutine that did it. It is there for tests that kill a run; nil: nothing.
	Failpoint func(Step)
}

// A Step of a run, as told to a failpoint.
type Step string

// The steps of a run, in their order. ShardCreated and ShardCommitted come once
// a shard.
const (
	Recovered      Step = "recovered"       // what earlier attempts left is gone
	Planned        Step = "planned"         // the snapshot is taken, the segments are cut
	ShardCreated   Step = "shard-created"   // the first rows of a shard may be written
	ShardCommitted Step = "shard-committed" // the shard is visible
	Scanned        Step = "scanned"         // all shards are
	Allowed        Step = "allowed"         // Options.Publish has said yes
	SummaryDone    Step = "summary"         // manifest.summary is visible
	ChecksumDone   Step = "checksum"        // manifest.checksum is
	ManifestDone   Step = "manifest"        // manifest.json is: the run has succeeded, whatever comes
)

// A Result is what a run came to.
type Result struct {
	Manifest string            // key of manifest.json; empty: nothing matched and nothing was written
	Summary  stocktake.Summary // as published, or as it would have been

	// Resumed says that an earlier attempt had published already, and that this
	// one only cleaned up behind it.
	Resumed bool
}
