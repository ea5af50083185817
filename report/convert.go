package report

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ordered"
	"github.com/stocktake/stocktake/report/rollup"
)

// A Target is a bucket or folder that [Convert] writes to.
type Target interface {
	Bucket

	// Create begins an object. Nothing is visible under the key before Commit. With
	// exclusive, Commit fails with fs.ErrExist if the key has an object.
	Create(ctx context.Context, key, contentType string, exclusive bool) (TargetFile, error)

	// Remove deletes an object. Removing a missing object is not an error.
	Remove(ctx context.Context, key string) error
}

// A TargetFile is an object being written.
type TargetFile interface {
	Write(p []byte) (int, error)

	// Commit makes the object visible: whole, durable. md5 is that of the bytes
	// written.
	Commit(ctx context.Context, md5 [16]byte) error

	// Abort drops the object. After Commit it does nothing.
	Abort() error
}

// ConvertOptions configure [Convert]. The zero value copies a report.
type ConvertOptions struct {
	Format Format // nil: that of the report

	// Columns of the new report: Bucket, Key, then any others that the report has;
	// nil: all of them.
	Columns []stocktake.Field

	Keys  KeyRange           // of the rows that are taken
	Match *stocktake.Matcher // the rows that are taken; nil: all

	// Base is the prefix of all keys of the new report; empty or with a '/' at the
	// end. The names of shards in the manifest begin with it.
	Base   string
	Bucket string // name of the destination in the manifest; empty: that of the report

	// Address is put before the keys of the new report in symlink.txt, such as
	// "s3://reports/"; empty: "oss://BUCKET/".
	Address string

	Limits     Limits // of shards
	Goroutines int    // goroutines that read and encode; 0: GOMAXPROCS

	// TempDir is where the rows of a report without a summary are sorted, in files of
	// about a quarter of their size as text; empty: os.TempDir.
	TempDir string
}

// Convert writes the rows of a report as a new one, in another format, with other
// columns, or only some of the rows, and returns the key of its manifest. The
// manifest is the last file written; after an error all written files are removed.
// The error is fs.ErrExist if there is such a report already. Memory does not grow
// with the report. The rows of a report without a summary, which may be in any
// order, are sorted before; others that do not ascend by key are ErrDisorder.
//
// The new report says that its rows are of the same bucket, run and time.
func Convert(ctx context.Context, r *Report, to Target, opts ConvertOptions) (manifest string, err error) {
	c, err := newConverter(r, to, opts)
	if err != nil {
		return "", err
	}
	manifest = c.directory + ManifestName
	f, err := to.Open(ctx, manifest)
	if err == nil {
		return "", errors.Join(fmt.Errorf("%s: %w", manifest, fs.ErrExist), f.Close())
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for %s: %w", manifest, err)
	}
	defer func() {
		// The files of a report that exists have the same names, if it was converted
		// from this one at the same time.
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = errors.Join(err, c.undo(context.WithoutCancel(ctx)))
		}
	}()
	if !r.Ordered() {
		s, err := sortRows(ctx, r, Query{Keys: opts.Keys, Columns: c.needed()}, opts.TempDir)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		c.source = s
	}
	if err := c.rows(ctx); err != nil {
		return "", err
	}
	return manifest, c.publish(ctx)
}

// A converter writes one report.
type converter struct {
	from      *Report
	source    Rows // those of from, in order
	to        Target
	opts      ConvertOptions
	bucket    string // the source
	directory string // of the manifest
	name      string // key of the first shard, without the suffix

	shards  *ShardWriter
	file    TargetFile // of the shard that is being written; nil: none is
	key     string     // of it
	created []string
	files   []stocktake.SummaryFile
	totals  Totals
	sums    []*rollup.Rollup // of each part
}

func newConverter(r *Report, to Target, opts ConvertOptions) (*converter, error) {
	if err := r.isTable(); err != nil {
		return nil, err
	}
	if opts.Format == nil {
		opts.Format = r.Format
	}
	if opts.Columns == nil {
		opts.Columns = []stocktake.Field{stocktake.FieldBucket, stocktake.FieldKey}
		for _, f := range r.Columns {
			if f != 0 && !slices.Contains(opts.Columns, f) {
				opts.Columns = append(opts.Columns, f)
			}
		}
	}
	for _, f := range opts.Columns {
		if f != stocktake.FieldBucket && !r.Has(f) {
			return nil, fmt.Errorf("%s has no column %s", r.Key, f)
		}
	}
	if opts.Bucket == "" {
		opts.Bucket = r.Manifest.DestinationBucket
	}
	c := &converter{from: r, source: r, to: to, opts: opts, bucket: r.Manifest.SourceBucket}
	c.directory = opts.Base + time.Unix(r.Manifest.CreationTimestamp, 0).UTC().Format(directoryLayout) + "/"
	h := sha256.New()
	fmt.Fprintf(h, "convert\x00%s\x00%d\x00%s\x00%v\x00%q", r.Key, r.Manifest.CreationTimestamp, opts.Format.Name(), opts.Columns, opts.Keys)
	for _, f := range r.Manifest.Files {
		fmt.Fprintf(h, "\x00%s", f.MD5)
	}
	u := h.Sum(nil)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // a UUID of version 8
	c.name = fmt.Sprintf("%sdata/%x-%x-%x-%x-%x", opts.Base, u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
	var err error
	c.shards, err = NewShardWriter(opts.Format, c.bucket, opts.Columns, opts.Limits)
	return c, err
}

// A convertedPiece is a piece of the new report.
type convertedPiece struct {
	EncodedPiece
	totals Totals
}

// rows writes the shards.
func (c *converter) rows(ctx context.Context) error {
	goroutines := c.opts.Goroutines
	if goroutines <= 0 {
		goroutines = runtime.GOMAXPROCS(0)
	}
	parts := []KeyRange{c.opts.Keys}
	if c.from.Ordered() {
		parts = c.from.SplitRange(c.opts.Keys, int(c.from.Summary.Matched/partRows)+1)
	}
	c.sums = make([]*rollup.Rollup, len(parts))
	if err := ordered.Run(ctx, goroutines, len(parts), func(ctx context.Context, i int, emit func(*convertedPiece) error) (err error) {
		c.sums[i], err = c.encode(ctx, parts[i], emit)
		return err
	}, func(p *convertedPiece) error {
		return c.join(ctx, p)
	}); err != nil {
		return errors.Join(err, c.abort())
	}
	return c.endShard(ctx)
}

// join adds a piece to the current shard, or to the next.
func (c *converter) join(ctx context.Context, p *convertedPiece) error {
	if c.file == nil {
		if err := c.beginShard(ctx); err != nil {
			return err
		}
	}
	if err := c.shards.Join(p.EncodedPiece); err != nil {
		return fmt.Errorf("write %s: %w", c.key, err)
	}
	c.totals.Merge(&p.totals)
	if c.shards.Full() {
		return c.endShard(ctx)
	}
	return nil
}

func (c *converter) beginShard(ctx context.Context) (err error) {
	c.key = c.name
	if n := len(c.files); n > 0 {
		c.key += fmt.Sprintf("-%d", n)
	}
	c.key += c.opts.Format.Suffix()
	c.created = append(c.created, c.key)
	if c.file, err = c.to.Create(ctx, c.key, c.opts.Format.ContentType(), false); err != nil {
		return fmt.Errorf("create %s: %w", c.key, err)
	}
	if s := c.from.Summary; s != nil {
		c.shards.Describe(Origin{Configuration: s.Configuration, Run: s.Run, Snapshot: s.Start})
	}
	if err := c.shards.Begin(c.file); err != nil {
		return fmt.Errorf("write %s: %w", c.key, err)
	}
	return nil
}

// endShard ends the current shard, if there is one.
func (c *converter) endShard(ctx context.Context) error {
	if c.file == nil {
		return nil
	}
	shard, err := c.shards.End()
	if err == nil {
		err = c.file.Commit(ctx, shard.Sum)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", c.key, err), c.abort())
	}
	c.file, shard.Key = nil, c.key
	c.files = append(c.files, shard.SummaryFile)
	return nil
}

// abort drops the current shard.
func (c *converter) abort() error {
	c.shards.Drop()
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Abort()
}

// undo removes all written files.
func (c *converter) undo(ctx context.Context) error {
	var errs []error
	for _, key := range c.created {
		if err := c.to.Remove(ctx, key); err != nil {
			errs = append(errs, fmt.Errorf("remove %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}
