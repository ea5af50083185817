package inventory

import (
	"context"
	"time"

	"github.com/stocktake/stocktake"
)

// A FigureCatalog returns counts of a [Catalog], for metrics.
type FigureCatalog interface {
	// CountUnfinished counts the runs that have not ended. States and kinds without
	// runs are missing.
	CountUnfinished(ctx context.Context) (map[UnfinishedKey]UnfinishedCount, error)

	// Figures counts configurations, and describes up to max of them: the failing
	// ones first, then by bucket and id.
	Figures(ctx context.Context, max int) (Figures, error)
}

// An UnfinishedKey is a group of unfinished runs.
type UnfinishedKey struct {
	State stocktake.RunState
	Kind  stocktake.RunKind
}

// An UnfinishedCount is how many runs there are, and how many of them are late.
type UnfinishedCount struct{ Runs, Late int64 }

// Figures are counts of configurations. The newest full run that succeeded or failed
// decides whether a configuration is failing.
type Figures struct {
	Configurations int64
	Scheduled      int64 // that have a next run
	Failing        int64
	Window         time.Time // start of the oldest window that is not published, of all that are not suspended; zero: none
	Shown          []Figure
}

// A Figure is the state of a configuration.
type Figure struct {
	Bucket, Configuration string
	Created               time.Time
	Due                   time.Time // of the next run; zero: none
	Frequency             stocktake.Frequency
	Failing               bool
	Full                  *stocktake.Run // the newest full run in the history that succeeded; nil: none
	Incremental           time.Time      // end of the newest incremental run that succeeded; zero: none
	Window                time.Time      // start of the oldest window that is not published; zero: suspended, or without incremental reports
}
