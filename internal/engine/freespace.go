package engine

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
)

// A SpaceError means that a report will not fit into its destination. Nothing of
// it has been written.
type SpaceError struct {
	Need int64 // bytes that the report will take, about
	Free int64 // bytes that are free at the destination
	Last bool  // Need is the size of the last report; else it is a rough estimate
}

func (e *SpaceError) Error() string {
	needs := "is estimated to need"
	if e.Last {
		needs = "will need about as much as the last one,"
	}
	return fmt.Sprintf("the report %s %s, and the destination has %s free", needs, megabytes(e.Need), megabytes(e.Free))
}

// Advice returns what a person can do about it.
func (e *SpaceError) Advice() string {
	return "free space at the destination, or keep fewer reports (stocktake inventory retain), then run it again"
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// fits returns a SpaceError if a report of about count records, -1 if their number is
// unknown, will not fit into the destination. previous is the summary of the last
// report, nil if there is none. If the destination does not know its free space, or
// fails to return it, the report fits.
func (r *run) fits(ctx context.Context, count int64, previous *stocktake.Summary) *SpaceError {
	free, err := r.dst.FreeSpace(ctx)
	if err != nil {
		r.log.Warn("the free space of the destination is unknown", "err", err)
		return nil
	}
	if free < 0 {
		return nil
	}
	e := &SpaceError{Free: free, Last: previous != nil}
	if previous != nil {
		for _, f := range previous.Files {
			e.Need += f.Size
		}
	} else {
		e.Need = r.estimate(count)
	}
	if e.Need <= free {
		return nil
	}
	return e
}

// estimate returns, in most cases, a lower bound of the size of a report from the
// number of its records alone: rows compress to little more than their random
// parts. It is 0 if a filter decides how many records match.
func (r *run) estimate(count int64) int64 {
	cfg := &r.job.Configuration
	if f := cfg.Filter; f.LastModifyBeginTimeStamp > 0 || f.LastModifyEndTimeStamp > 0 ||
		f.LowerSizeBound > 0 || f.UpperSizeBound > 0 || len(f.StorageClass) > 0 {
		return 0
	}
	row := int64(2)
	for _, c := range cfg.Columns() {
		switch c {
		case stocktake.FieldETag:
			row += 16
		case stocktake.FieldCRC64:
			row += 8
		}
	}
	return max(count, 0) * row
}
