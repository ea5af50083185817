package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// removeWindows removes the incremental reports that no full report which is kept
// can be brought forward with: those whose window ended before the oldest of them
// was made. own are the full reports of the configuration, over those of them that
// are to go.
func (t *tidying) removeWindows(ctx context.Context, own, over []report.Directory) error {
	kept := slices.IndexFunc(own, func(d report.Directory) bool { return !slices.Contains(over, d) })
	if kept < 0 || len(over) == 0 { // nothing has become older than what is kept
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
		if !d.Manifest || !d.Summary {
			continue // not complete yet, or not ours
		}
		if err := t.removeWindow(ctx, d, oldest.Unix()); err != nil {
			return err
		}
	}
	return nil
}

// removeWindow removes an incremental report of the configuration if its window has
// ended by a time in Unix seconds: its manifest first, so that no reader takes what
// is left for a whole one, and its summary, which says whose it is, last.
func (t *tidying) removeWindow(ctx context.Context, d report.Directory, before int64) error {
	if mine, err := t.summaryIsOwn(ctx, d); err != nil || !mine {
		return err
	}
	m, err := t.manifest(ctx, d)
	if err != nil {
		return err
	}
	if !m.Incremental() || m.EndTimestamp > before || m.SourceBucket != t.Entry.Bucket {
		return nil
	}
	var files []string
	for key, err := range t.dst.List(ctx, d.Key+"data/") {
		if err != nil {
			return fmt.Errorf("list %s: %w", d.Key, err)
		}
		files = append(files, key)
	}
	manifest, summary := d.Key+report.ManifestName, d.Key+report.SummaryName
	if err := t.mayRemove(ctx, append([]string{manifest, summary}, files...)); err != nil {
		return err
	}
	if err := t.dst.Remove(ctx, manifest); err != nil {
		return fmt.Errorf("remove %s: %w", manifest, err)
	}
	err = engine.Remove(ctx, t.dst, files)
	if err == nil {
		err = t.dst.Remove(ctx, summary)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("files of %s remain", d.Key), err)
	}
	t.log.Info("incremental report removed, as no full report needs it", "report", d.Key, "files", len(files))
	return nil
}
