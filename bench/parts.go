package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvgz"
)

// partsCommand measures each part of a run by itself, on one goroutine, and the
// whole beside its compressor, all in one process. Time is that of the
// processor, user and system, so that a busy machine disturbs it less.
func partsCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("parts", flag.ContinueOnError)
	objects := flags.Int("objects", 1_000_000, "objects in the bucket")
	count := flags.Int("count", 5, "how often each part is measured, in turn; the median counts")
	dir := flags.String("dir", os.TempDir(), "folder for the store, which is removed in the end")
	results := flags.String("results", "results", "folder for the figures")
	profile := flags.String("cpuprofile", "", "file for a profile of the whole runs; empty: none is taken")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *count < 1 || *objects < 1000 {
		return errors.New("-count: at least 1, -objects: at least 1000")
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := partsBench{objects: *objects, samples: map[string][]sample{}}
	b.results = measure.Results{Date: time.Now(), Args: shown(flags)}
	if b.results.Host, err = measure.ThisHost(ctx, work, "."); err != nil {
		return err
	}
	if err := b.run(ctx, filepath.Join(work, "data"), *count, *profile); err != nil {
		return err
	}
	path, err := b.results.Save(*results, "parts")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

// A sample is what one execution of a part took.
type sample struct {
	took   time.Duration
	cpu    time.Duration // all threads of the process
	allocs uint64
}

type partsBench struct {
	objects int
	names   []string // in the order of measuring
	samples map[string][]sample
	results measure.Results

	records []stocktake.Record // the first of the bucket, kept
	stored  []byte             // their rows, compressed
	rows    []byte             // and plain
}

// kept is how many records the parts that need no index work on: their rows are
// more than any cache holds.
const kept = 200_000

// time measures one execution of a part over n records.
func (b *partsBench) time(name string, n int, part func() error) error {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, err := measure.Self()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := part(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s := sample{took: time.Since(start)}
	usedAfter, err := measure.Self()
	if err != nil {
		return err
	}
	s.cpu = usedAfter - used
	runtime.ReadMemStats(&after)
	s.allocs = after.Mallocs - before.Mallocs
	if b.samples[name] == nil {
		b.names = append(b.names, name)
	}
	b.samples[name] = append(b.samples[name], s)
	b.results.Lines = append(b.results.Lines, measure.Result{
		Name: fmt.Sprintf("%s/objects=%d", name, n), Time: s.took,
		Figures: []measure.Figure{
			{Value: float64(n) / s.cpu.Seconds(), Unit: "objects/cpu-s"},
			{Value: float64(s.cpu.Nanoseconds()) / float64(n), Unit: "cpu-ns/object"},
			{Value: float64(s.allocs) / float64(n), Unit: "allocs/object"},
		},
	})
	l := &b.results.Lines[len(b.results.Lines)-1]
	fmt.Fprintf(os.Stderr, "%s: %v %v\n", l.Name, l.Time.Round(time.Millisecond), l.Figures)
	return nil
}

func (b *partsBench) run(ctx context.Context, data string, count int, profile string) (err error) {
	if err := seed(ctx, data, lakeBucket, b.objects); err != nil {
		return err
	}
	s, err := store.Open(ctx, data, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.CreateBucket(ctx, object.Bucket{
		Name: reportsBucket, Owner: testserver.AccountID, Created: time.Now(),
		Redundancy: "LRS", ACL: stocktake.Private, Config: map[string][]byte{},
	}, false); err != nil {
		return err
	}
	configuration := stocktake.InventoryConfiguration{
		ID: "bench", Destination: stocktake.Destination{Format: "CSV", Bucket: reportsBucket},
		IncludedObjectVersions: stocktake.CurrentVersions,
	}
	for f := stocktake.FieldSize; f <= stocktake.FieldCRC64; f++ {
		configuration.OptionalFields = append(configuration.OptionalFields, f)
	}
	if err := b.keep(ctx, s, configuration.Columns()); err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		// Only the whole runs are to be in it: it is begun and ended around each,
		// and the last one stays.
		defer pprof.StopCPUProfile()
		if err := b.whole(ctx, s, configuration, 100); err != nil { // warm
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		for i := range count {
			if err := b.whole(ctx, s, configuration, 101+i); err != nil {
				return err
			}
		}
		pprof.StopCPUProfile()
	}
	for i := range count {
		if err := b.parts(ctx, s, configuration.Columns()); err != nil {
			return err
		}
		if err := b.whole(ctx, s, configuration, 1+i); err != nil {
			return err
		}
	}
	b.ratios()
	return nil
}

// keep reads the first records of the bucket into memory, and makes their rows.
func (b *partsBench) keep(ctx context.Context, s *store.Store, columns []stocktake.Field) (err error) {
	errEnough := errors.New("enough")
	err = scan(ctx, s, func(batch []stocktake.Record) error {
		for _, r := range batch {
			r.Key, r.VersionID, r.ETag.Text = bytes.Clone(r.Key), bytes.Clone(r.VersionID), bytes.Clone(r.ETag.Text)
			b.records = append(b.records, r)
		}
		if len(b.records) >= kept {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	e, err := report.NewEncoder(lakeBucket, columns)
	if err != nil {
		return err
	}
	for i := range b.records {
		b.rows = e.AppendRow(b.rows, &b.records[i])
	}
	var stored bytes.Buffer
	c, err := csvgz.New(lakeBucket, columns)
	if err != nil {
		return err
	}
	c.Reset(&stored)
	if _, err := c.Encode(b.records); err != nil {
		return err
	}
	b.stored = stored.Bytes()
	return c.Close()
}

// scan reads the whole bucket as a run does.
func scan(ctx context.Context, s *store.Store, yield func([]stocktake.Record) error) (err error) {
	snap, err := s.Source().Snapshot(ctx, lakeBucket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	return snap.Scan(ctx, engine.Segment{}, false, yield)
}

// batchSize is how many records the parts are given at once, as a run's are.
const batchSize = 512

func (b *partsBench) batches(do func(batch []stocktake.Record) error) error {
	for i := 0; i < len(b.records); i += batchSize {
		if err := do(b.records[i:min(i+batchSize, len(b.records))]); err != nil {
			return err
		}
	}
	return nil
}

// parts measures every part once.
func (b *partsBench) parts(ctx context.Context, s *store.Store, columns []stocktake.Field) error {
	n := len(b.records)
	fast, err := csvgz.New(lakeBucket, columns)
	if err != nil {
		return err
	}
	plain, err := report.NewGzip(lakeBucket, columns)
	if err != nil {
		return err
	}
	rows, err := report.NewEncoder(lakeBucket, columns)
	if err != nil {
		return err
	}
	compress := func(c report.Compressor) func() error {
		return func() error {
			c.Reset(io.Discard)
			if err := b.batches(func(batch []stocktake.Record) error {
				_, err := c.Encode(batch)
				return err
			}); err != nil {
				return err
			}
			return c.Close()
		}
	}
	buf := make([]byte, 0, batchSize<<10)
	matcher := stocktake.NewMatcher(stocktake.Filter{
		Prefix: "lake/", LowerSizeBound: 1, UpperSizeBound: 1 << 30, StorageClass: []stocktake.StorageClass{stocktake.Standard, stocktake.IA},
	}, true)
	for _, p := range []struct {
		name string
		n    int
		do   func() error
	}{
		{"ScanAndDecode", b.objects, func() error {
			seen := 0
			err := scan(ctx, s, func(batch []stocktake.Record) error {
				seen += len(batch)
				return nil
			})
			if err == nil && seen != b.objects {
				err = fmt.Errorf("%d objects seen", seen)
			}
			return err
		}},
		{"Filter", n * 10, func() error {
			matched := 0
			for range 10 {
				for i := range b.records {
					if matcher.Match(&b.records[i]) {
						matched++
					}
				}
			}
			if matched == 0 || matched == n*10 {
				return fmt.Errorf("%d of %d match", matched, n*10)
			}
			return nil
		}},
		{"EncodePlain", n, func() error {
			return b.batches(func(batch []stocktake.Record) error {
				buf = buf[:0]
				for i := range batch {
					buf = rows.AppendRow(buf, &batch[i])
				}
				return nil
			})
		}},
		{"EncodeAndCompress", n, compress(fast)},
		{"EncodeAndCompressLevel1", n, compress(plain)},
		{"CompressLevel1", n, func() error {
			_, err := deflate(b.rows)
			return err
		}},
		{"MD5", n, func() error { md5.Sum(b.stored); return nil }},
		{"SHA256", n, func() error { sha256.Sum256(b.stored); return nil }},
		{"Store", n, func() error { return keepFile(ctx, s, b.stored) }},
	} {
		if err := b.time(p.name, p.n, p.do); err != nil {
			return err
		}
	}
	return nil
}

// keepFile writes stored as a file of a report, in pieces as a run does.
func keepFile(ctx context.Context, s *store.Store, stored []byte) error {
	d := s.Destination(reportsBucket)
	f, err := d.Create(ctx, "parts", engine.FileOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return err
	}
	for rest := stored; len(rest) > 0; {
		piece := rest[:min(len(rest), 256<<10)]
		if _, err := f.Write(piece); err != nil {
			return errors.Join(err, f.Abort())
		}
		rest = rest[len(piece):]
	}
	return f.Commit(ctx, md5.Sum(stored))
}

// whole makes a report with as many workers as the reference has.
func (b *partsBench) whole(ctx context.Context, s *store.Store, cfg stocktake.InventoryConfiguration, number int) error {
	cfg.ID = fmt.Sprintf("bench-%d", number)
	name := "Run"
	if number >= 100 {
		name = "RunBefore"
	}
	return b.time(name, b.objects, func() error {
		job := engine.Job{Run: fmt.Sprintf("run-%d", number), Attempt: 1, Bucket: lakeBucket, Configuration: cfg}
		r, err := engine.Run(ctx, s.Source(), s.Destination(reportsBucket), job, engine.Options{
			Workers: compressors, Log: slog.New(slog.DiscardHandler),
		})
		if err == nil && r.Summary.Matched != int64(b.objects) {
			err = fmt.Errorf("%d objects matched", r.Summary.Matched)
		}
		return err
	})
}

// ratios fills in what the figures come to.
func (b *partsBench) ratios() {
	perObject := func(name string, n int) float64 {
		var cpu []time.Duration
		for _, s := range b.samples[name] {
			cpu = append(cpu, s.cpu)
		}
		return measure.Median(cpu).Seconds() / float64(n)
	}
	n := len(b.records)
	level1 := perObject("CompressLevel1", n)
	b.results.Ratios = append(b.results.Ratios,
		measure.Ratio{
			Name: "R-cpu", Value: level1 / perObject("Run", b.objects),
			Says: "processor time per object of klauspost/compress level 1 alone over that of the whole run",
		},
		measure.Ratio{
			Name: "compressor", Value: level1 / perObject("EncodeAndCompress", n),
			Says: "processor time of klauspost/compress level 1 alone over that of csvgz, which formats the rows too",
		})
}
