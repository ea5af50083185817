package report

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/rollup"
)

// VerifyOptions configure [Verify]. The zero value suits a command line.
type VerifyOptions struct {
	Workers int // shards read at once; 0: GOMAXPROCS

	// Hashes compares sizes and hashes only: shards are neither decompressed nor
	// parsed, and rows, keys and totals stay unchecked.
	Hashes bool

	// Progress is called now and then with the stored bytes of shards that were
	// read, by one goroutine at a time; nil: it is not.
	Progress func(stored int64)
}

// A Verification is the result of [Verify].
type Verification struct {
	Manifest string `json:"manifest"` // key of manifest.json
	OK       bool   `json:"ok"`       // there are no findings

	SourceBucket string `json:"sourceBucket,omitempty"`
	Run          string `json:"run,omitempty"` // from the summary

	Files   int                    `json:"files"`
	Rows    int64                  `json:"rows"`
	Stored  int64                  `json:"stored"`  // bytes of the shards
	Bytes   int64                  `json:"bytes"`   // size of the objects in the rows; 0 without column Size
	Classes []stocktake.ClassTotal `json:"classes"` // empty without column StorageClass

	Findings  []Finding `json:"findings"`  // what is wrong
	Unchecked []string  `json:"unchecked"` // checks that could not be made, with the reason
}

// A Finding is one fault of a report. Faults of one kind in one file are one
// finding with a count.
type Finding struct {
	File   string `json:"file"` // key of the file
	Check  Check  `json:"check"`
	Row    int64  `json:"row,omitempty"` // of the first occurrence, from 1; 0: the file as a whole
	Count  int64  `json:"count"`         // occurrences in the file
	Detail string `json:"detail"`        // of the first
}

func (f Finding) String() string {
	s := f.File
	if f.Row > 0 {
		s += fmt.Sprintf(": row %d", f.Row)
	}
	s += fmt.Sprintf(": %s: %s", f.Check, f.Detail)
	if f.Count > 1 {
		s += fmt.Sprintf(" (%d times)", f.Count)
	}
	return s
}

// A Check names a property of reports that [Verify] checks.
type Check string

// The checks, in the order in which they are made.
const (
	CheckManifest  Check = "manifest"  // manifest.json can be read, and its schema has a key column
	CheckChecksum  Check = "checksum"  // manifest.checksum exists and is the MD5 of manifest.json
	CheckSummary   Check = "summary"   // manifest.summary can be read and agrees with manifest.json
	CheckMissing   Check = "missing"   // each shard exists
	CheckSize      Check = "size"      // each shard has the size in the manifest
	CheckMD5       Check = "md5"       // each shard has the MD5 in the manifest
	CheckSHA256    Check = "sha256"    // each shard has the SHA-256 in the summary
	CheckFormat    Check = "format"    // each shard is a whole file of the report's format
	CheckRow       Check = "row"       // each row has the columns of the schema, with values of their kind
	CheckRows      Check = "rows"      // each shard has the number of rows in the summary
	CheckRange     Check = "range"     // each shard has the first and the last key in the summary
	CheckPieces    Check = "pieces"    // the pieces of each shard begin at the places and keys in the summary
	CheckOrder     Check = "order"     // keys ascend, within a shard and from each shard to the next
	CheckDuplicate Check = "duplicate" // no version of a key appears twice
	CheckRollup    Check = "rollup"    // manifest.rollup is what the summary describes, and the rows add up to it
	CheckTotals    Check = "totals"    // rows, bytes and classes add up to the totals in the summary
)

// Verify reads all of the report whose manifest.json has the key manifest and
// checks it. Faults of the report are findings. An error means that Verify could
// not check: fs.ErrNotExist if the manifest is missing.
//
// A report without a summary, as OSS makes them, is checked against its manifest;
// Unchecked names the rest. Memory is bounded by the number of workers and of
// shards, and by the versions of one key; only the first 2^20 are compared.
func Verify(ctx context.Context, b Bucket, manifest string, opts VerifyOptions) (*Verification, error) {
	v := &verifier{
		rep: &Report{Key: manifest, bucket: b},
		out: &Verification{Manifest: manifest, Classes: []stocktake.ClassTotal{}, Findings: []Finding{}, Unchecked: []string{}},
	}
	v.progress.tell = opts.Progress
	ok, err := v.documents(ctx)
	if err != nil {
		return nil, err
	}
	if ok {
		shards, err := v.shards(ctx, opts)
		if err != nil {
			return nil, err
		}
		switch {
		case opts.Hashes:
			v.sumHashed(shards)
		case v.rep.Incremental():
			v.compareWindowFiles(shards)
		default:
			v.compareShards(shards)
			v.checkTotals(shards)
			v.compareRollup(shards)
		}
	}
	v.out.OK = len(v.out.Findings) == 0
	return v.out, nil
}

type verifier struct {
	rep *Report
	out *Verification

	claimed  *rollup.Rollup // manifest.rollup; nil: there is none to compare with
	sums     rollupMerger   // of the rows
	progress progress
}

func (v *verifier) find(file string, check Check, format string, args ...any) {
	v.out.Findings = append(v.out.Findings, Finding{File: file, Check: check, Count: 1, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) unchecked(format string, args ...any) {
	v.out.Unchecked = append(v.out.Unchecked, fmt.Sprintf(format, args...))
}

// documents checks manifest, checksum and summary. ok is false if shards cannot be
// checked.
func (v *verifier) documents(ctx context.Context) (ok bool, err error) {
	raw, err := read(ctx, v.rep.bucket, v.rep.Key, stocktake.MaxManifestSize)
	if err != nil {
		return false, err
	}
	summary, err := v.summary(ctx)
	if err != nil {
		return false, err
	}
	parsed := v.rep.parse(raw)
	if !v.rep.Incremental() { // those have no checksum
		if err := v.checksum(ctx, raw, summary != nil); err != nil {
			return false, err
		}
	}
	if parsed != nil {
		v.find(v.rep.Key, CheckManifest, "%v", parsed)
		return false, nil
	}
	m := &v.rep.Manifest
	v.out.SourceBucket, v.out.Files = m.SourceBucket, len(m.Files)
	if !slices.Contains(v.rep.Columns, stocktake.FieldKey) {
		v.find(v.rep.Key, CheckManifest, "fileSchema %q has no column Key", m.FileSchema)
		return false, nil
	}
	v.schema()
	if summary != nil {
		v.rep.Summary, v.out.Run = summary, summary.Run
		v.compare()
	}
	for _, g := range m.Gaps {
		v.unchecked("%d changes, from %d to %d: the journal was full and dropped them before they were reported", g.Changes, g.After+1, g.Until)
	}
	if v.rep.Incremental() {
		return true, nil
	}
	return true, v.readRollup(ctx)
}

// summary reads manifest.summary. It returns nil if the summary is missing or
// malformed.
func (v *verifier) summary(ctx context.Context) (*stocktake.Summary, error) {
	key := v.rep.sibling(SummaryName)
	s, err := ReadSummary(ctx, v.rep.bucket, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.unchecked("row counts, SHA-256, key ranges and totals: the report has no %s", SummaryName)
	case errors.Is(err, errSummaryVersion):
		v.unchecked("row counts, SHA-256, key ranges and totals: %v", err)
	case errors.Is(err, ErrMalformed):
		v.find(key, CheckSummary, "%v", err)
	case err != nil:
		return nil, err
	}
	return s, nil
}

// checksum checks manifest.checksum, which every report of Stocktake has.
func (v *verifier) checksum(ctx context.Context, manifest []byte, ours bool) error {
	key := v.rep.sibling(ChecksumName)
	got, err := read(ctx, v.rep.bucket, key, maxChecksumSize)
	if errors.Is(err, fs.ErrNotExist) {
		if ours {
			v.find(key, CheckChecksum, "it is missing")
		} else {
			v.unchecked("the MD5 of %s: the report has no %s", ManifestName, ChecksumName)
		}
		return nil
	}
	if errors.Is(err, errTooLong) {
		v.find(key, CheckChecksum, "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	want := Checksum(manifest)
	if string(got) != want && (ours || !strings.EqualFold(strings.TrimSpace(string(got)), want)) { // S3 writes lower case
		v.find(key, CheckChecksum, "it contains %.40q, but %s has the MD5 %s", got, ManifestName, want)
	}
	return nil
}

// Checksum returns the content of manifest.checksum for the bytes of
// manifest.json.
func Checksum(manifest []byte) string { return fmt.Sprintf("%X", md5.Sum(manifest)) }

func (v *verifier) schema() {
	for i, name := range v.rep.names {
		if slices.Contains(v.rep.names[:i], name) || v.rep.Columns[i] != 0 && slices.Contains(v.rep.Columns[:i], v.rep.Columns[i]) {
			v.find(v.rep.Key, CheckManifest, "fileSchema has the column %.100q twice, so a reader may take either", name)
		}
		if v.rep.Columns[i] == 0 {
			v.unchecked("values of column %q: its name is unknown", name)
		}
	}
}

// compare compares the summary with the manifest.
func (v *verifier) compare() {
	m, s := &v.rep.Manifest, v.rep.Summary
	bad := func(format string, args ...any) { v.find(v.rep.sibling(SummaryName), CheckSummary, format, args...) }
	if s.Bucket != m.SourceBucket {
		bad("bucket %q, the manifest says %q", s.Bucket, m.SourceBucket)
	}
	if m.Incremental() {
		v.compareWindow(bad)
	} else if s.Start.Unix() != m.CreationTimestamp {
		bad("start %s, the manifest says %s", timeText(s.Start), timeText(time.Unix(m.CreationTimestamp, 0)))
	}
	if s.End.Before(s.Start) {
		bad("end %s is before start %s", timeText(s.End), timeText(s.Start))
	}
	if s.Listed < s.Matched {
		bad("%d records matched of %d listed", s.Matched, s.Listed)
	}
	if len(s.Files) != len(m.Files) {
		bad("%d files, the manifest has %d", len(s.Files), len(m.Files))
		return
	}
	for i, f := range s.Files {
		switch want := m.Files[i]; {
		case f.Key != want.Key:
			bad("file %d is %.200q, the manifest says %.200q", i+1, f.Key, want.Key)
		case f.Size != want.Size:
			bad("file %d has the size %d, the manifest says %d", i+1, f.Size, want.Size)
		case f.MD5 != want.MD5:
			bad("file %d has the MD5 %.40q, the manifest says %.40q", i+1, f.MD5, want.MD5)
		}
	}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// shards checks each shard on its own, several concurrently.
func (v *verifier) shards(ctx context.Context, opts VerifyOptions) ([]*shardCheck, error) {
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	files := v.rep.Manifest.Files
	checks := make([]*shardCheck, len(files))
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan int)
	group.Go(func() error {
		defer close(next)
		for i := range files {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range min(workers, len(files)) {
		group.Go(func() error {
			reader := v.rep.Format.NewReader(v.rep.Columns)
			defer reader.Close()
			sums := v.newBuilder()
			for i := range next {
				c := &shardCheck{file: files[i], rep: v.rep, sums: sums, progress: &v.progress}
				if s := v.rep.Summary; s != nil && len(s.Files) == len(files) {
					c.summary = &s.Files[i]
				}
				check := c.run
				if opts.Hashes {
					check = c.hash
				}
				if err := check(ctx, reader); err != nil {
					return err
				}
				if sums != nil && !opts.Hashes {
					v.sums.add(i, sums.Part())
					sums.Reset()
				}
				checks[i] = c
			}
			return nil
		})
	}
	return checks, group.Wait()
}
