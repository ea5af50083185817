// Package engine makes one report: it plans the segments of a run, scans them,
// and publishes what they left as shards. It knows no store; [Source] and
// [Destination] are what it needs of one.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// A Job is one attempt of a run.
type Job struct {
	// Run is the id of the run. The names of its shards follow from it, the
	// attempt and the segment, and the summary carries it, so that a later
	// attempt finds what this one left. It may be empty if Seed is set: then it
	// is derived.
	Run     string
	Attempt int // from 1, one more than any attempt of the run before

	// Queued is when the run was made: no report older than that is its own. The
	// zero value makes an attempt after the first look at all reports.
	Queued time.Time

	Bucket        string // the source; the destination is the configuration's
	Configuration stocktake.InventoryConfiguration

	// Seed, if not empty, makes the report follow from the data alone: times are
	// derived from it, and neither the number of cores nor an earlier report has
	// a say in how the keys are cut. Two runs over the same data with the same
	// options then give the same bytes.
	Seed string
}

// Options tune a run. The zero value is what production runs.
type Options struct {
	Workers int           // segments scanned at once; 0: GOMAXPROCS
	Limits  report.Limits // of a shard

	// EmptyManifest publishes a report without shards if nothing matched.
	// Without it such a run writes nothing at all.
	EmptyManifest bool

	// Compressor makes the compressor of a worker; nil: report.NewGzip.
	Compressor func(bucket string, columns []stocktake.Field) (report.Compressor, error)

	Progress *Progress                // nil: none is kept
	State    func(stocktake.RunState) // called with Scanning, then with Publishing; nil: nobody is told
	Log      *slog.Logger             // nil: slog.Default()

	// Failpoint is called at each [Steps] of the run, by the goroutine that
	// takes it. It is there for tests that kill a run; nil: nothing.
	Failpoint func(step string)
}

// A Result is what a run came to.
type Result struct {
	Manifest string            // key of manifest.json; empty: nothing matched and nothing was written
	Summary  stocktake.Summary // as published, or as it would have been

	// Resumed says that an earlier attempt had published already, and that this
	// one only cleaned up behind it.
	Resumed bool
}

// Run makes the report of job, reading src and writing dst, all of it or
// nothing: after an error, and after ctx ends, nothing that the attempt wrote is
// left, and what earlier attempts left is gone as well. manifest.json is the
// commit point and the last file written.
//
// If an earlier attempt has published, Run finds its manifest and reports
// success. If nothing matched, nothing is written.
func Run(ctx context.Context, src Source, dst Destination, job Job, opts Options) (Result, error) {
	return Result{}, errors.ErrUnsupported
}

// CleanAttempts removes the files that attempts of the run of job have left,
// but for those of a report that one of them published. It is for a run that
// will not be tried again; Run does the same by itself.
func CleanAttempts(ctx context.Context, dst Destination, job Job) error {
	return errors.ErrUnsupported
}
