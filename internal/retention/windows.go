package retention

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// removeWindows removes the incremental reports that are useless for every kept
// full report: those whose window ended before the oldest kept full report was
// made. own are the full reports of the configuration, over those of them that are
// to be removed.
func (t *removal) removeWindows(ctx context.Context, own, expired []report.Directory) error {
	kept := slices.IndexFunc(own, func(d report.Directory) bool { return !slices.Contains(expired, d) })
	if kept < 0 || len(expired) == 0 { // no window has become useless
		return nil
	}
	oldest := own[kept].Time
	for d, err := range report.WindowDirectories(ctx, t.dst, t.at) {
		if err != nil {
			return err
		}
		if !d.Time.Before(oldest) {
			return nil
		}
		if !d.Summary {
			continue // not complete yet, or of another configuration
		}
		if err := t.removeWindow(ctx, d, oldest); err != nil {
			return err
		}
	}
	return nil
}

// removeWindow removes an incremental report of the configuration if its window has
// ended by before and it is not still being published. It removes the manifest
// first, so that no reader takes an incomplete report for a whole one, and the
// summary, which identifies the configuration, last. A report with only a summary
// is one whose removal was interrupted.
func (t *removal) removeWindow(ctx context.Context, d report.Directory, before time.Time) error {
	s, err := t.summaryOf(ctx, d)
	if err != nil || s == nil || s.Window == nil {
		return err
	}
	if s.End.After(before) || !t.Unreported.IsZero() && s.End.After(t.Unreported) {
		return nil
	}
	about := []string{d.Key + report.ManifestName, d.Key + report.SummaryName}
	if d.Manifest {
		m, err := t.manifest(ctx, d)
		if err != nil {
			return err
		}
		if !m.Incremental() || m.EndTimestamp > before.Unix() || m.SourceBucket != t.Entry.Bucket {
			return nil
		}
	} else {
		about = about[1:]
	}
	var files []string
	for key, err := range t.dst.List(ctx, d.Key+"data/") {
		if err != nil {
			return fmt.Errorf("list %s: %w", d.Key, err)
		}
		files = append(files, key)
	}
	if err := t.mayRemove(ctx, slices.Concat(about, files)); err != nil {
		return err
	}
	if d.Manifest {
		if err := t.dst.Remove(ctx, about[0]); err != nil {
			return fmt.Errorf("remove %s: %w", about[0], err)
		}
	}
	if err = engine.Remove(ctx, t.dst, files); err == nil {
		err = t.dst.Remove(ctx, d.Key+report.SummaryName)
	}
	if err != nil {
		return fmt.Errorf("files of %s remain until after the next run: %w", d.Key, err)
	}
	t.log.Info("removed an incremental report that no full report needs", "report", d.Key, "shards", len(files))
	return nil
}
