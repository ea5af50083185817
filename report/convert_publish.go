package report

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/rollup"
)

// publish writes what is not a shard; manifest.json comes last.
func (c *converter) publish(ctx context.Context) error {
	m := stocktake.Manifest{
		CreationTimestamp: c.from.Manifest.CreationTimestamp, DestinationBucket: c.opts.Bucket,
		FileFormat: c.opts.Format.Name(), FileSchema: c.opts.Format.Schema(c.opts.Columns),
		Files: []stocktake.ManifestFile{}, SourceBucket: c.bucket, Version: stocktake.ManifestVersion,
	}
	for _, f := range c.files {
		m.Files = append(m.Files, stocktake.ManifestFile{MD5: f.MD5, Key: f.Key, Size: f.Size})
	}
	manifest := m.AppendJSON(nil)
	sums, about := c.rollup(), c.summary()
	rolled, err := json.Marshal(sums)
	if err != nil {
		return err
	}
	about.Rollup = DescribeRollup(rolled)
	summary, err := json.Marshal(about)
	if err != nil {
		return err
	}
	last := c.directory + ManifestName
	for _, f := range []struct {
		key, contentType string
		body             []byte
	}{
		{c.directory + RollupName, "application/json", rolled},
		{c.directory + SummaryName, "application/json", summary},
		{c.directory + ChecksumName, "text/plain", []byte(Checksum(manifest))},
		{symlinkKey(c.opts.Base, time.Unix(m.CreationTimestamp, 0)), "text/plain", SymlinkText(cmp.Or(c.opts.Address, "oss://"+c.opts.Bucket+"/"), c.files)},
		{last, "application/json", manifest},
	} {
		if err := c.write(ctx, f.key, f.contentType, f.body, f.key == last); err != nil {
			return err
		}
	}
	return nil
}

// rollup adds up the parts.
func (c *converter) rollup() *rollup.Rollup {
	sums := rollup.Merge(c.sums...)
	sums.Bucket = c.bucket
	if s := c.from.Summary; s != nil {
		sums.Configuration, sums.Run = s.Configuration, s.Run
	}
	sums.Seal()
	return sums
}

// summary returns the summary of the new report. A report without one states only
// the second in which its scan began: the end of its scan window is not known, and
// is set to its beginning.
func (c *converter) summary() *stocktake.Summary {
	start := time.Unix(c.from.Manifest.CreationTimestamp, 0).UTC()
	s := stocktake.Summary{Bucket: c.bucket, Consistency: stocktake.ConsistencyWindow, Start: start, End: start, Listed: c.totals.Rows}
	if c.from.Summary != nil {
		s = *c.from.Summary
	}
	s.Version = stocktake.SummaryVersion
	s.Unavailable = slices.DeleteFunc(slices.Clone(s.Unavailable), func(name string) bool {
		f, ok := stocktake.ParseColumn(name)
		return ok && !slices.Contains(c.opts.Columns, f)
	})
	if c.totals.Rows != s.Matched || len(c.opts.Columns) < len(c.from.Columns) {
		s.Incomplete, s.SuspectKeys = 0, 0 // how many of these rows lack a value is not known
	}
	s.Rollup = nil // the totals of the old report are those of its rows and columns
	s.Matched, s.Bytes, s.Classes, s.Files = c.totals.Rows, c.totals.Bytes, c.totals.Classes(), c.files
	s.Listed = max(s.Listed, s.Matched) // windows may have added rows to what was listed
	if s.Files == nil {
		s.Files = []stocktake.SummaryFile{}
	}
	return &s
}

func (c *converter) write(ctx context.Context, key, contentType string, body []byte, exclusive bool) error {
	f, err := c.to.Create(ctx, key, contentType, exclusive)
	if err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	defer f.Abort()
	if !exclusive { // a file that exists already would be another's
		c.created = append(c.created, key)
	}
	if _, err := f.Write(body); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if err := f.Commit(ctx, md5.Sum(body)); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
