// Package window makes incremental reports: the changes of a bucket in one window of time, read
// from its journal. It is independent of stores: it reads a [Journal] and writes an
// engine.Destination.
package window

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/report"
)

// A Journal is the part of [journal.Journal] that a window needs, with the same
// contract.
type Journal interface {
	Subscribe(ctx context.Context, bucket, reader, prefix string) (stocktake.JournalPosition, error)
	Cut(ctx context.Context, bucket string, at int64) (stocktake.JournalPosition, error)
	Changes(ctx context.Context, bucket, prefix string, after, until stocktake.JournalPosition, yield func(batch []journal.Change) error) ([]journal.Gap, error)
}

// A Job is one attempt at the report of one window.
type Job struct {
	Run     string // id of the run, from which the names of the files are derived
	Attempt int    // from 1

	Bucket        string // the source; the destination is the configuration's
	Configuration stocktake.InventoryConfiguration

	Start, End time.Time // of the window, in whole seconds; the clock of the journal has reached End

	// Now is a later boundary of windows, or End, that the clock has reached.
	// Windows up to it that have no changes may be skipped.
	Now    time.Time
	Length time.Duration // of windows, which begin at multiples of it

	After      stocktake.JournalPosition // the window's changes begin after it
	Joined     stocktake.JournalPosition // the end of the configuration's last written report
	Subscribed stocktake.JournalPosition // where the configuration began

	// Recorded is the report that Options.Record has kept for an earlier attempt, or
	// for an earlier run of the same window. Make publishes it. nil: nothing is
	// recorded.
	Recorded []byte
}

// reader is the name of the configuration in the journal. A configuration that was
// put again under its id has another position of Subscribed.
func (j *Job) reader() string { return j.Configuration.ID }

// Options tune a window. The zero value suits production.
type Options struct {
	Limits report.Limits // of a file

	// EmptyManifest publishes a report without files if there were no changes.
	// Otherwise such a window writes nothing, unless changes were lost.
	EmptyManifest bool

	Progress *Progress    // nil: no progress is counted
	Log      *slog.Logger // nil: slog.Default()

	// Record is called after the files are written and before the manifest is. Its
	// contract is that of engine.Options.Record.
	Record func(ctx context.Context, report []byte) (kept []byte, err error)

	// Failpoint is called with the name of each [Step] once it is done. It is for
	// tests; nil: no callback is made.
	Failpoint func(Step)
}

// A Step names a step of a window for Options.Failpoint.
type Step string

// The steps, in their order. There is one FileDone for each file.
const (
	CutDone      Step = "cut"      // the journal is cut at the end of the window
	FileDone     Step = "file"     // a file is visible
	Recorded     Step = "recorded" // Options.Record has kept the report
	SummaryDone  Step = "summary"  // manifest.summary is visible
	ManifestDone Step = "manifest" // manifest.json is visible: the report is complete
)

// A Result is the outcome of a window.
type Result struct {
	Manifest string            // key of manifest.json; empty: there were no changes and nothing was written
	Summary  stocktake.Summary // as published, or as it would be

	// Until is after the last change of the window. Next is the start of the next
	// window that may have changes: at least the end of this one.
	Until stocktake.JournalPosition
	Next  time.Time
}

// ErrRecordedLost reports a window whose recorded report is incomplete and lacks
// files. Make the window again without the recorded report.
var ErrRecordedLost = errors.New("files of the recorded report of the window are missing")

// Make makes the report of the window of job. It is atomic: after an error before
// the report is recorded, no written file remains; after an error later, all
// written files belong to the report. manifest.json is the commit point and the
// last file written. Errors are those of j and dst, of Options.Record and
// ctx.Err(), wrapped, and ErrRecordedLost.
func Make(ctx context.Context, j Journal, dst engine.Destination, job Job, opts Options) (Result, error) {
	m, err := newMaker(j, dst, job, opts)
	if err != nil {
		return Result{}, fmt.Errorf("window: %w", err)
	}
	result, err := m.make(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("window %s: %w", job.Start.UTC().Format(time.RFC3339), err)
	}
	return result, nil
}

// Clean removes the files that attempts at the window have left, unless its report
// is complete. Call it for a window that this run will not make.
func Clean(ctx context.Context, dst engine.Destination, job Job) error {
	job.Recorded = nil
	m, err := newMaker(nil, dst, job, Options{})
	if err != nil {
		return err
	}
	stray, err := m.strays(ctx)
	if err != nil {
		return err
	}
	return engine.Remove(ctx, dst, stray)
}
