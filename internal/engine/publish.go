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
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// The content types of a report's files besides its shards, which have that of
// their format.
//
// Source: spec, inventory-report.md section 2.
const (
	jsonContentType     = "application/json"
	checksumContentType = "text/plain"
)

// publish makes the report visible and returns the key of its manifest:
// manifest.summary, which claims the directory, manifest.checksum,
// manifest.json.
func (r *run) publish(ctx context.Context, summary *stocktake.Summary, files []stocktake.ManifestFile) (string, error) {
	cfg := &r.job.Configuration
	m := stocktake.Manifest{
		CreationTimestamp: summary.Start.Unix(),
		DestinationBucket: cfg.Destination.Bucket,
		FileFormat:        r.opts.Format.Name(),
		FileSchema:        r.opts.Format.Schema(cfg.Columns()),
		Files:             files,
		SourceBucket:      r.job.Bucket,
		Version:           stocktake.ManifestVersion,
	}
	manifest := m.AppendJSON(nil)
	about, err := json.Marshal(summary)
	if err != nil {
		return "", err
	}
	dir, err := r.claim(ctx, summary.Start, about)
	if err != nil {
		return "", err
	}
	r.step(SummaryDone)
	if err := r.put(ctx, dir+report.ChecksumName, checksumContentType, []byte(report.Checksum(manifest)), false); err != nil {
		return "", err
	}
	r.step(ChecksumDone)
	key := dir + report.ManifestName
	if err := r.put(ctx, key, jsonContentType, manifest, true); err != nil {
		if err := r.settle(ctx, key, manifest, err); err != nil {
			return "", err
		}
	}
	r.step(ManifestDone)
	return key, nil
}

// claim writes the summary into the directory of the start, or of the next
// minute that has none, and returns the directory. As the summary must not be
// there before, no two runs have one directory.
func (r *run) claim(ctx context.Context, start time.Time, summary []byte) (dir string, err error) {
	for minute := start.Truncate(time.Minute); ; minute = minute.Add(time.Minute) {
		dir := r.at.Directory(minute)
		taken, err := r.any(ctx, dir)
		if err != nil {
			return "", err
		}
		if taken {
			continue
		}
		key := dir + report.SummaryName
		err = r.put(ctx, key, jsonContentType, summary, true)
		if !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
		// Another run came first, or the answer to our own write was lost and the
		// write made again.
		same, err := r.has(ctx, key, summary)
		if err != nil || same {
			return dir, err
		}
	}
}

// any reports whether there is a key with the prefix.
func (r *run) any(ctx context.Context, prefix string) (bool, error) {
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

// settle finds out whether manifest.json was written although writing it gave
// an error; then the run has succeeded.
func (r *run) settle(ctx context.Context, key string, manifest []byte, cause error) error {
	ctx, cancel := aftermath(ctx)
	defer cancel()
	if written, err := r.has(ctx, key, manifest); err != nil || !written {
		return errors.Join(cause, err)
	}
	r.log.Warn("the manifest is written although writing it failed", "key", key, "err", cause)
	return nil
}

// put writes a small file whole.
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
	r.created = append(r.created, c)
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
