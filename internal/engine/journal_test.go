package engine_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// journaled is a source whose buckets have a journal.
type journaled struct {
	engine.Source
	at    *stocktake.JournalPosition
	moves bool // each snapshot is behind more changes than the one before
}

type journaledSnapshot struct {
	engine.Snapshot
	at *stocktake.JournalPosition
}

func (s journaledSnapshot) Journal() *stocktake.JournalPosition { return s.at }

func (j *journaled) Snapshot(ctx context.Context, bucket string) (engine.Snapshot, error) {
	snap, err := j.Source.Snapshot(ctx, bucket)
	at := j.at
	if at != nil && j.moves {
		j.at = &stocktake.JournalPosition{Sequence: at.Sequence + 1, Time: at.Time}
	}
	return journaledSnapshot{snap, at}, err
}

// TestReportStatesJournal: a report has the position of the journal if all of its
// rows belong to that position, and none otherwise.
func TestReportStatesJournal(t *testing.T) {
	at := stocktake.JournalPosition{Sequence: 1 << 60, Time: 1767628800123}
	for _, tt := range []struct {
		name   string
		source journaled
		seed   string
		slices bool
		want   *stocktake.JournalPosition
	}{
		{"one snapshot", journaled{at: &at, moves: true}, "", false, &at},
		{"slices of one position", journaled{at: &at}, "", true, &at},
		{"slices of several positions", journaled{at: &at, moves: true}, "", true, nil},
		{"no journal", journaled{}, "", false, nil},
		{"a report of the data alone", journaled{at: &at}, "seed", false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := newStore(10)
			tt.source.Source = store
			dst, job := store.Bucket("reports"), newJob()
			job.Seed = tt.seed
			opts := engine.Options{Workers: 2, MinSegment: 5, Log: quiet}
			var res engine.Result
			var err error
			if tt.slices {
				res, _ = sliced(t, &tt.source, dst, job, opts, false, func(int) int { return 0 }, func() bool { return false })
			} else if res, err = engine.Run(t.Context(), &tt.source, dst, job, opts); err != nil {
				t.Fatal(err)
			}
			rep, err := report.Open(t.Context(), dst, res.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, rep.Summary.Journal); diff != "" {
				t.Errorf("manifest.summary (-want +got):\n%s", diff)
			}
		})
	}
}
