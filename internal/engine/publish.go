package engine

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/tracing"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// The content types of a report's files except its shards, whose content type is that
// of their format.
//
// Source: spec, inventory-report.md section 2.
const (
	jsonContentType = "application/json"
	textContentType = "text/plain"
)

// Publish makes the report of job visible when results has the results of all its
// slices. Each part of the segments of o must have been scanned exactly once;
// otherwise nothing is written and the error names the keys. It removes the shards of
// the run that no result names, which lost attempts have left.
//
// It may be called again after an error, as another attempt; only [CleanAttempts]
// removes the files that it has written. Errors are those of dst, of Options.Record
// and ctx.Err(), wrapped.
func Publish(ctx context.Context, dst Destination, job Job, o RunPlan, results []SliceResult, opts Options) (Result, error) {
	return PublishFrom(ctx, dst, job, o, listed(results), opts)
}

// PublishFrom is Publish for results that need not fit into memory. They are read
// twice. Memory holds only the list of the report's files: a few kilobytes for each
// shard.
func PublishFrom(ctx context.Context, dst Destination, job Job, o RunPlan, results Results, opts Options) (Result, error) {
	r, err := newRun(dst, job, opts)
	if err != nil {
		return Result{}, err
	}
	published, err := r.published(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("publish: %w", err)
	}
	if published != nil {
		return *published, nil
	}
	if len(job.Recorded) > 0 {
		return r.publishRecorded(ctx)
	}
	return r.publish(ctx, &o, results, true)
}

// removeStrays removes the shards of the run that its report does not name, and the
// unfinished uploads of shards.
func (r *run) removeStrays(ctx context.Context, s *stocktake.Summary) error {
	r.abortUploads(ctx, r.names.run)
	shards, err := r.list(ctx, r.names.run)
	if err != nil {
		return err
	}
	named := make(map[string]bool, len(s.Files))
	for i := range s.Files {
		named[s.Files[i].Key] = true
	}
	return Remove(ctx, r.dst, slices.DeleteFunc(shards, func(key string) bool { return named[key] }))
}

// joined reports whether incremental reports need the report: they are applied to it,
// and it records where they begin.
func (r *run) joined() bool {
	i := r.job.Configuration.Incremental
	return i != nil && i.IsEnabled
}

// publish sums up the results, asks Options to allow and record the report, and
// writes it. strays says that lost attempts may have left shards.
func (r *run) publish(ctx context.Context, o *RunPlan, results Results, strays bool) (_ Result, err error) {
	ctx, span := tracing.Start(ctx, "publish")
	defer func() { span.End(err) }()
	s, err := r.summarize(ctx, o, results)
	if err == nil && strays {
		err = r.removeStrays(ctx, s.summary)
	}
	if err != nil {
		return Result{}, fmt.Errorf("publish: %w", err)
	}
	summary := s.summary
	if summary.Matched == 0 && !r.opts.EmptyManifest && !r.joined() {
		return Result{Summary: *summary}, ctx.Err()
	}
	p, err := r.documents(summary, s.rollup)
	if err != nil {
		return Result{}, fmt.Errorf("publish: %w", err)
	}
	if r.opts.Record == nil {
		return r.write(ctx, p, summary)
	}
	mine, err := p.encode()
	if err != nil {
		return Result{}, fmt.Errorf("publish: %w", err)
	}
	recorded, err := r.record(ctx, mine)
	if err != nil {
		return Result{}, err
	}
	if !bytes.Equal(recorded, mine) { // another attempt was first
		return r.writeRecorded(ctx, recorded)
	}
	return r.write(ctx, p, summary)
}

// record calls Options.Record. From then on the report belongs to the run, and
// another attempt may be publishing the files of this one.
func (r *run) record(ctx context.Context, report []byte) (kept []byte, err error) {
	if kept, err = r.opts.Record(ctx, report); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	r.keepCreated()
	r.step(Recorded)
	return kept, nil
}

// publishRecorded publishes the report that an earlier attempt has recorded.
func (r *run) publishRecorded(ctx context.Context) (Result, error) {
	recorded := r.job.Recorded
	r.keepCreated()
	if r.opts.Record != nil {
		var err error
		if recorded, err = r.record(ctx, recorded); err != nil {
			return Result{}, err
		}
	}
	return r.writeRecorded(ctx, recorded)
}

// documents returns the files of the report except its shards. The summary describes
// manifest.rollup.
func (r *run) documents(summary *stocktake.Summary, sums *rollup.Rollup) (*publication, error) {
	var totals []byte
	if sums != nil {
		var err error
		if totals, err = json.Marshal(sums); err != nil {
			return nil, err
		}
		summary.Rollup = report.DescribeRollup(totals)
	}
	cfg := &r.job.Configuration
	m := stocktake.Manifest{
		CreationTimestamp: summary.Start.Unix(),
		DestinationBucket: cfg.Destination.Bucket,
		FileFormat:        r.opts.Format.Name(),
		FileSchema:        r.opts.Format.Schema(cfg.Columns()),
		Files:             manifestFiles(summary),
		SourceBucket:      r.job.Bucket,
		Version:           stocktake.ManifestVersion,
	}
	about, err := json.Marshal(summary)
	if err != nil {
		return nil, err
	}
	return &publication{Manifest: m.AppendJSON(nil), Summary: about, Rollup: totals}, nil
}

// ErrRecordedLost is returned for a run that has recorded a report but lacks some of
// its shards. No other report of the run can be published.
var ErrRecordedLost = errors.New("the run has recorded a report, but shards of it are missing")

// writeRecorded writes the report that an attempt of the run has recorded, unchanged,
// and removes the shards that it does not name.
func (r *run) writeRecorded(ctx context.Context, recorded []byte) (Result, error) {
	p, err := decodePublication(recorded)
	if err != nil {
		return Result{}, fmt.Errorf("publish: the recorded report: %w", err)
	}
	var summary stocktake.Summary
	if err := json.Unmarshal(p.Summary, &summary); err != nil {
		return Result{}, fmt.Errorf("publish: the recorded summary: %w", err)
	}
	shards, err := r.list(ctx, r.names.run)
	if err != nil {
		return Result{}, fmt.Errorf("publish: %w", err)
	}
	missing := make(map[string]bool)
	for _, f := range summary.Files {
		missing[f.Key] = true
	}
	stray := slices.DeleteFunc(shards, func(key string) bool {
		named := missing[key]
		delete(missing, key)
		return named
	})
	for key := range missing {
		return Result{}, fmt.Errorf("publish: %w: %d of %d, such as %s", ErrRecordedLost, len(missing), len(summary.Files), key)
	}
	if err := Remove(ctx, r.dst, stray); err != nil {
		return Result{}, fmt.Errorf("publish: %w", err)
	}
	return r.write(ctx, p, &summary)
}

// keepCreated leaves the files that the attempt has created to the run, because
// another attempt may be writing the same files.
func (r *run) keepCreated() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.created, r.recorded = nil, true
}

// write makes the report visible: manifest.summary, which claims the directory,
// manifest.rollup, manifest.checksum, symlink.txt, manifest.json.
func (r *run) write(ctx context.Context, p *publication, summary *stocktake.Summary) (_ Result, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("publish: %w", err)
		}
	}()
	result := Result{Summary: *summary}
	dir, minute, err := r.claim(ctx, summary.Start, p.Summary)
	if err != nil {
		return Result{}, err
	}
	r.step(SummaryDone)
	if len(p.Rollup) > 0 {
		if err := r.put(ctx, dir+report.RollupName, jsonContentType, p.Rollup, false); err != nil {
			return Result{}, err
		}
		r.step(RollupDone)
	}
	if err := r.put(ctx, dir+report.ChecksumName, textContentType, []byte(report.Checksum(p.Manifest)), false); err != nil {
		return Result{}, err
	}
	r.step(ChecksumDone)
	// This process may have been paused since it recorded the report, and another
	// process may have abandoned the run.
	if err := r.claimed(ctx, dir, p.Summary); err != nil {
		return Result{}, err
	}
	list := r.symlink(summary)
	if err := r.put(ctx, r.at.Symlink(minute), textContentType, list, false); err != nil {
		return Result{}, err
	}
	r.step(SymlinkDone)
	result.Manifest = dir + report.ManifestName
	if err := r.put(ctx, result.Manifest, jsonContentType, p.Manifest, true); err != nil {
		if err := r.checkWritten(ctx, result.Manifest, p.Manifest, err); err != nil {
			return Result{}, err
		}
	}
	if err := r.unlessGivenUp(ctx, dir, p.Summary, result.Manifest, r.at.Symlink(minute), list); err != nil {
		return Result{}, err
	}
	r.step(ManifestDone)
	return result, nil
}

// unlessGivenUp removes the manifest and the list of the shards again if the run was
// abandoned before they were written. If this cannot be determined, they stay.
func (r *run) unlessGivenUp(ctx context.Context, dir string, summary []byte, manifest, symlink string, list []byte) error {
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	err := r.claimed(ctx, dir, summary)
	if !errors.Is(err, ErrGivenUp) {
		if err != nil {
			r.log.Warn("cannot find out whether the run was cancelled meanwhile", "manifest", manifest, "err", err)
		}
		return nil
	}
	if removeErr := r.dst.Remove(ctx, manifest); removeErr != nil {
		err = errors.Join(err, fmt.Errorf("the manifest remains: remove %s: %w", manifest, removeErr))
	}
	// Another run may own the minute now, with a list of its own.
	if mine, _ := r.has(ctx, symlink, list); mine {
		if removeErr := r.dst.Remove(ctx, symlink); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("the list of the shards remains: remove %s: %w", symlink, removeErr))
		}
	}
	return err
}

// ErrGivenUp is returned by an attempt whose run was abandoned, and whose files were
// removed, while it published the report.
var ErrGivenUp = errors.New("the run was cancelled while its report was published; its files were removed")

// claimed returns ErrGivenUp if the directory has lost the summary that claims it. A
// process that abandons a run with a recorded report removes the summary before the
// shards and a manifest after the summary ([CleanAttempts]). So an attempt that
// checks before and after it writes the manifest leaves no manifest without its
// shards.
func (r *run) claimed(ctx context.Context, dir string, summary []byte) error {
	if !r.recorded {
		return nil // no other process may give the run up
	}
	same, err := r.has(ctx, dir+report.SummaryName, summary)
	if err == nil && !same {
		err = ErrGivenUp
	}
	return err
}

// symlink returns the content of symlink.txt: the address of each shard. All shards
// are visible when it is written, and it is removed before any of them.
func (r *run) symlink(summary *stocktake.Summary) []byte {
	address := "oss://" + r.job.Configuration.Destination.Bucket + "/"
	if a, ok := r.dst.(Addressed); ok {
		address = a.Address()
	}
	return report.SymlinkText(address, summary.Files)
}

// claim writes the summary into the directory of the start, or of the next minute
// without a summary, and returns it. The write fails if a summary exists, so no two
// runs share a directory. If a directory has this very summary, an attempt that
// recorded the same report has claimed it.
func (r *run) claim(ctx context.Context, start time.Time, summary []byte) (dir string, minute time.Time, err error) {
	for minute = start.Truncate(time.Minute); ; minute = minute.Add(time.Minute) {
		dir := r.at.Directory(minute)
		taken, err := r.hasAny(ctx, dir)
		if err != nil {
			return "", minute, err
		}
		key := dir + report.SummaryName
		if taken && r.recorded {
			if same, err := r.has(ctx, key, summary); err != nil || same {
				return dir, minute, err
			}
		}
		if taken {
			continue
		}
		err = r.put(ctx, key, jsonContentType, summary, true)
		if !errors.Is(err, fs.ErrExist) {
			return dir, minute, err
		}
		// Another run was first, or the answer to our own write was lost and the
		// write was repeated.
		same, err := r.has(ctx, key, summary)
		if err != nil || same {
			return dir, minute, err
		}
	}
}

// hasAny reports whether the destination has a key with the prefix.
func (r *run) hasAny(ctx context.Context, prefix string) (bool, error) {
	for _, err := range r.dst.List(ctx, prefix) {
		if err != nil {
			return false, fmt.Errorf("list %s: %w", prefix, err)
		}
		return true, nil
	}
	return false, nil
}

// has reports whether the object key has exactly this content.
func (r *run) has(ctx context.Context, key string, content []byte) (bool, error) {
	f, err := r.dst.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open %s: %w", key, err)
	}
	defer f.Close()
	got, err := io.ReadAll(io.LimitReader(f, int64(len(content))+1))
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return bytes.Equal(got, content), nil
}

// checkWritten finds out whether manifest.json was written although the write returned
// cause. If it was, the run has succeeded and checkWritten returns nil.
func (r *run) checkWritten(ctx context.Context, key string, manifest []byte, cause error) error {
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	if written, err := r.has(ctx, key, manifest); err != nil || !written {
		return errors.Join(cause, err)
	}
	r.log.Warn("the manifest exists although writing it failed", "key", key, "err", cause)
	return nil
}

// put writes a small file as a whole.
func (r *run) put(ctx context.Context, key, contentType string, content []byte, exclusive bool) error {
	c := created{key: key}
	if exclusive {
		c.content = content
	}
	f, err := r.create(ctx, c, contentType)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if err := f.Commit(ctx, md5.Sum(content)); err != nil {
		return fmt.Errorf("commit %s: %w", key, err)
	}
	return nil
}

// create begins a file of the report and remembers it.
func (r *run) create(ctx context.Context, c created, contentType string) (File, error) {
	r.mu.Lock()
	if !r.recorded {
		r.created = append(r.created, c)
	}
	r.mu.Unlock()
	f, err := r.dst.Create(ctx, c.key, FileOptions{
		ContentType: contentType,
		Encryption:  r.job.Configuration.Destination.Encryption,
		Exclusive:   c.content != nil,
	})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", c.key, err)
	}
	return f, nil
}
