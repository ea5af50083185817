package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// Limits of the removal of files, which continues after the context of a run has
// ended.
const (
	cleanupTimeout     = 2 * time.Minute
	concurrentRemovals = 16 // at once
)

// cleanupContext returns the context for cleanup that must happen even if ctx has ended.
func cleanupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
}

// CleanAttempts removes the files that attempts of the run of job have left, except
// those of a report that one of them has published. Call it for a run that is over
// and will not be tried again. [Run] does the same by itself, unless it has recorded
// its report.
func CleanAttempts(ctx context.Context, dst Destination, job Job, opts Options) error {
	job.Recorded = nil // it will not be published
	r, err := newRun(dst, job, opts)
	if err != nil {
		return err
	}
	_, err = r.recover(ctx, true)
	return err
}

// recover removes the files that attempts of this run have left and returns the
// outcome of an attempt that has published; nil if none has. Unless thorough is set,
// it looks for these only if an earlier attempt must have existed. If a report is
// recorded and not yet published, all files stay, because they will be published.
func (r *run) recover(ctx context.Context, thorough bool) (published *Result, err error) {
	stray, err := r.list(ctx, r.names.run)
	if err != nil {
		return nil, err
	}
	if thorough || r.job.Attempt > 1 || len(stray) > 0 {
		r.abortUploads(ctx, r.names.run)
		if published, err = r.published(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case published != nil:
		named := make(map[string]bool, len(published.Summary.Files))
		for _, f := range published.Summary.Files {
			named[f.Key] = true
		}
		stray = slices.DeleteFunc(stray, func(key string) bool { return named[key] })
		r.log.Info("an earlier attempt has published already", "manifest", published.Manifest)
	case len(r.job.Recorded) > 0:
		return nil, nil
	}
	if len(stray) > 0 {
		r.log.Info("removing shards of earlier attempts", "shards", len(stray))
	}
	return published, Remove(ctx, r.dst, stray)
}

// abortUploads aborts the unfinished uploads of attempts below a prefix that only
// this run uses. They cannot affect the report, so a failure is logged.
func (r *run) abortUploads(ctx context.Context, prefix string) {
	u, ok := r.dst.(Uploader)
	if !ok {
		return
	}
	n, err := u.AbortUploads(ctx, prefix)
	if err != nil {
		r.log.Warn("unfinished uploads of earlier attempts may remain at the destination; abort those below the prefix, or add a lifecycle rule that does", "prefix", prefix, "err", err)
	}
	if n > 0 {
		r.log.Info("aborted unfinished uploads of earlier attempts", "uploads", n)
	}
}

// published returns the outcome of an attempt of this run that has published, nil if
// there is none. It empties the directories that attempts have begun, unless their
// content has been recorded.
func (r *run) published(ctx context.Context) (published *Result, err error) {
	for d, err := range report.Directories(ctx, r.dst, r.at) {
		if err != nil {
			return nil, err
		}
		if !d.Summary || r.job.Seed == "" && d.Time.Before(r.job.Queued.Truncate(time.Minute)) {
			continue
		}
		s, err := report.ReadSummary(ctx, r.dst, d.Key+report.SummaryName)
		if errors.Is(err, report.ErrMalformed) {
			continue // ours are whole or not there
		}
		if err != nil {
			return nil, err
		}
		if s.Run != r.job.Run {
			continue
		}
		if d.Manifest {
			published = &Result{Manifest: d.Key + report.ManifestName, Summary: *s, Resumed: true}
			continue
		}
		if len(r.job.Recorded) > 0 {
			continue
		}
		r.abortUploads(ctx, d.Key)
		// The summary is removed last, because it tells which run owns the directory.
		// After it comes a manifest that an attempt may have written since the
		// directories were listed: see run.claimed.
		for _, key := range []string{r.at.Symlink(d.Time), d.Key + report.ChecksumName, d.Key + report.RollupName, d.Key + report.SummaryName, d.Key + report.ManifestName} {
			if err := r.dst.Remove(ctx, key); err != nil {
				return nil, fmt.Errorf("remove %s: %w", key, err)
			}
		}
	}
	return published, nil
}

// previous returns the summary of the newest complete report of the configuration,
// nil if there is none. It is used only for planning, so a failure is logged.
func (r *run) previous(ctx context.Context) *stocktake.Summary {
	read := func() (*stocktake.Summary, error) { return r.readPrevious(ctx) }
	var s *stocktake.Summary
	var err error
	if r.opts.Previous != nil {
		s, err = r.opts.Previous(read)
	} else {
		s, err = read()
	}
	if err != nil {
		r.log.Warn("planning without the last report", "err", err)
		return nil
	}
	return s
}

func (r *run) readPrevious(ctx context.Context) (*stocktake.Summary, error) {
	var newest report.Directory
	for d, err := range report.Directories(ctx, r.dst, r.at) {
		if err != nil {
			return nil, err
		}
		if d.Manifest && d.Summary {
			newest = d
		}
	}
	if newest.Key == "" {
		return nil, nil
	}
	return report.ReadSummary(ctx, r.dst, newest.Key+report.SummaryName)
}

func (r *run) list(ctx context.Context, prefix string) (keys []string, err error) {
	for key, err := range r.dst.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Remove removes objects from a destination, several at once, and stops at the
// first error.
func Remove(ctx context.Context, dst Destination, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentRemovals)
	for _, key := range keys {
		group.Go(func() error {
			if err := dst.Remove(ctx, key); err != nil {
				return fmt.Errorf("remove %s: %w", key, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// A created file is one that this attempt may have made.
type created struct {
	key string

	// content, if not nil, is the content by which the file is recognised as ours: it
	// was written on condition that the file did not exist.
	content []byte
}

// removeCreated removes everything that the attempt has created, in reverse order:
// shards are removed after the manifest that names them, and stay if the
// manifest cannot be removed.
func (r *run) removeCreated(ctx context.Context) error {
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	r.mu.Lock()
	made := r.created
	r.created = nil
	r.mu.Unlock()

	var shards []string
	for _, c := range slices.Backward(made) {
		if r.names.owns(c.key) {
			shards = append(shards, c.key)
			continue
		}
		if c.content != nil {
			ours, err := r.has(ctx, c.key, c.content)
			if err != nil {
				return fmt.Errorf("files of the report remain: %w", err)
			}
			if !ours {
				continue
			}
		}
		if err := r.dst.Remove(ctx, c.key); err != nil {
			return fmt.Errorf("files of the report remain: remove %s: %w", c.key, err)
		}
	}
	if err := Remove(ctx, r.dst, shards); err != nil {
		return fmt.Errorf("shards remain: %w", err)
	}
	return nil
}
