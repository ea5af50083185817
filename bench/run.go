package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

const (
	lakeBucket    = "lake"
	reportsBucket = "reports"

	// allFields is every optional column of a report but the two of access
	// tracking, which the store does not have.
	allFields = "Size,LastModifiedDate,ETag,StorageClass,IsMultipartUploaded,EncryptionStatus,ObjectAcl,TaggingCount,ObjectType,Crc64"
)

// runCommand measures runs of a seeded bucket through the real binary.
func runCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	objects := flags.Int("objects", 1_000_000, "objects in the bucket")
	count := flags.Int("count", 5, "runs measured, each beside its compressor; the median counts")
	dir := flags.String("dir", os.TempDir(), "folder for the store, which is removed in the end")
	results := flags.String("results", "results", "folder for the figures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *count < 1 || *objects < 1 {
		return errors.New("-count and -objects: at least 1")
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	host, err := measure.ThisHost(ctx, work, ".")
	if err != nil {
		return err
	}
	b := runBench{objects: *objects, data: filepath.Join(work, "data")}
	b.results = measure.Results{Host: host, Date: time.Now(), Args: shown(flags)}
	if b.binary, err = testserver.Build(ctx, work, "-trimpath", "-ldflags=-s -w"); err != nil {
		return err
	}
	if err := b.measure(ctx, *count); err != nil {
		return err
	}
	path, err := b.results.Save(*results, "run")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

// A runBench is one measurement of runs over one bucket.
type runBench struct {
	objects      int
	binary, data string
	results      measure.Results
}

// name is that of a line of results.
func (b *runBench) name(part string) string { return fmt.Sprintf("%s/objects=%d", part, b.objects) }

func (b *runBench) add(part string, took time.Duration, figures ...measure.Figure) {
	b.results.Lines = append(b.results.Lines, measure.Result{Name: b.name(part), Time: took, Figures: figures})
	fmt.Fprintf(os.Stderr, "%s: %v %v\n", b.name(part), took.Round(time.Millisecond), figures)
}

func (b *runBench) perSecond(took time.Duration) measure.Figure {
	return measure.Figure{Value: float64(b.objects) / took.Seconds(), Unit: "objects/s"}
}

// measure seeds, starts a server, and runs.
func (b *runBench) measure(ctx context.Context, count int) (err error) {
	start := time.Now()
	if err := seed(ctx, b.data, lakeBucket, b.objects); err != nil {
		return err
	}
	b.add("Seed", time.Since(start), b.perSecond(time.Since(start)))

	start = time.Now()
	server, err := testserver.Start(ctx, testserver.Config{Binary: b.binary, Data: b.data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	ready := time.Since(start)
	idle, err := measure.Of(server.PID())
	if err != nil {
		return err
	}
	b.add("Ready", ready, mebibytes(idle.PeakRSS))

	c := cli{binary: b.binary, server: server}
	if _, err := c.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(reportsBucket)}); err != nil {
		return err
	}
	if _, err := c.run(ctx, "inventory", "put", "--disabled", "-b", lakeBucket, "-i", "bench",
		"--destination", reportsBucket, "--fields", allFields); err != nil {
		return err
	}
	var times, cpus, sizes []float64
	for range count {
		p, err := b.once(ctx, c)
		if err != nil {
			return err
		}
		times, cpus, sizes = append(times, p.time), append(cpus, p.cpu), append(sizes, p.size)
	}
	b.results.Ratios = append(b.results.Ratios,
		measure.Ratio{
			Name: "R", Value: measure.Median(times),
			Says: fmt.Sprintf("time of klauspost/compress level 1 alone, %d goroutines, over time of the whole run; median of %d pairs", compressors, count),
		},
		measure.Ratio{Name: "cpu", Value: measure.Median(cpus), Says: "the same of CPU time, which says less of what else the machine did"},
		measure.Ratio{Name: "size", Value: measure.Median(sizes), Says: "bytes of the report over bytes of klauspost/compress level 1"})
	return nil
}

// A pair is one run beside its compressor alone: time and CPU time of the
// compressor over those of the run, and size of the report over that of the
// compressor's output.
type pair struct{ time, cpu, size float64 }

// once makes one run and compresses its rows alone.
func (b *runBench) once(ctx context.Context, c cli) (p pair, err error) {
	if err := measure.ResetPeak(c.server.PID()); err != nil {
		return p, err
	}
	before, err := measure.Of(c.server.PID())
	if err != nil {
		return p, err
	}
	out, err := c.run(ctx, "inventory", "run", "--wait", "--json", "-b", lakeBucket, "-i", "bench")
	if err != nil {
		return p, err
	}
	after, err := measure.Of(c.server.PID())
	if err != nil {
		return p, err
	}
	var run stocktake.Run
	if err := json.Unmarshal(out, &run); err != nil {
		return p, fmt.Errorf("stocktake inventory run: %w\n%s", err, out)
	}
	if run.State != stocktake.Succeeded || run.Matched != int64(b.objects) {
		return p, fmt.Errorf("run %s with %d of %d objects: %s", run.State, run.Matched, b.objects, run.Reason)
	}
	took := run.Ended.Sub(run.Started)
	cpu := after.CPU - before.CPU
	b.add("Run", took, b.perSecond(took), mebibytes(after.PeakRSS),
		measure.Figure{Value: cpu.Seconds(), Unit: "cpu-s"}, measure.Figure{Value: float64(run.Shards), Unit: "shards"})

	start := time.Now()
	if _, err := c.run(ctx, "report", "verify", "oss://"+run.Destination+"/"+run.Manifest); err != nil {
		return p, err
	}
	b.add("Verify", time.Since(start), b.perSecond(time.Since(start)))

	shards, err := c.shards(ctx, run.Destination, run.Manifest)
	if err != nil {
		return p, err
	}
	alone, err := compressAlone(shards)
	if err != nil {
		return p, err
	}
	b.add("CompressorAlone", alone.took, b.perSecond(alone.took),
		measure.Figure{Value: alone.cpu.Seconds(), Unit: "cpu-s"},
		measure.Figure{Value: float64(alone.read) / 1e6 / alone.took.Seconds(), Unit: "MB/s"},
		measure.Figure{Value: float64(alone.read) / float64(b.objects), Unit: "B/row"})
	return pair{
		time: alone.took.Seconds() / took.Seconds(),
		cpu:  alone.cpu.Seconds() / cpu.Seconds(),
		size: float64(run.Written) / float64(alone.written),
	}, nil
}

func mebibytes(n int64) measure.Figure {
	return measure.Figure{Value: float64(n) / (1 << 20), Unit: "MiB-peak"}
}
