package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

// flatCommand measures what grows with the number of objects and must not:
// memory, cost per object, and the time that a server takes to be ready.
func flatCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("flat", flag.ContinueOnError)
	sizes := flags.String("objects", "1000000,10000000,100000000", "objects in the bucket, one store after another; the last takes 14 GB of disk")
	count := flags.Int("count", 3, "runs measured in each store; the median counts")
	idle := flags.Duration("idle", 5*time.Second, "how long a server is watched that has nothing to do")
	dir := flags.String("dir", os.TempDir(), "folder for the stores, each of which is removed before the next")
	results := flags.String("results", "results", "folder for the figures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *count < 1 || *idle <= 0 {
		return errors.New("-count: at least 1, -idle: more than 0")
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := flatBench{count: *count, idle: *idle}
	b.results = measure.Results{Date: time.Now(), Args: shown(flags)}
	if b.results.Host, err = measure.ThisHost(ctx, work, "."); err != nil {
		return err
	}
	if b.binary, err = testserver.Build(ctx, work, "-trimpath", "-ldflags=-s -w"); err != nil {
		return err
	}
	for size := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("-objects: %q is no number of objects", size)
		}
		if err := b.size(ctx, filepath.Join(work, "data"), n); err != nil {
			return err
		}
	}
	if err := b.compare(); err != nil {
		return err
	}
	path, err := b.results.Save(*results, "flat")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

type flatBench struct {
	binary  string
	count   int
	idle    time.Duration
	sized   []sized
	results measure.Results
}

// sized is what was found with one number of objects.
type sized struct {
	objects int
	ready   time.Duration
	idleRSS int64
	idleCPU time.Duration
	peak    []int64         // of each run, in bytes
	cpu     []time.Duration // of each run
	took    []time.Duration
}

// size measures a store of n objects and removes it.
func (b *flatBench) size(ctx context.Context, data string, n int) (err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	if err := seed(ctx, data, lakeBucket, n); err != nil {
		return err
	}
	s := sized{objects: n}
	start := time.Now()
	server, err := testserver.Start(ctx, testserver.Config{Binary: b.binary, Data: data})
	if err != nil {
		return err
	}
	s.ready = time.Since(start)
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := b.watch(ctx, server.PID(), &s); err != nil {
		return err
	}
	c := cli{binary: b.binary, server: server}
	if _, err := c.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(reportsBucket)}); err != nil {
		return err
	}
	if _, err := c.run(ctx, "inventory", "put", "--disabled", "-b", lakeBucket, "-i", "bench",
		"--destination", reportsBucket, "--fields", allFields); err != nil {
		return err
	}
	for range b.count {
		if err := b.once(ctx, c, &s); err != nil {
			return err
		}
	}
	b.sized = append(b.sized, s)
	name := fmt.Sprintf("/objects=%d", n)
	b.results.Lines = append(b.results.Lines, measure.Result{Name: "Ready" + name, Time: s.ready})
	b.results.Lines = append(b.results.Lines, measure.Result{
		Name: "Idle" + name, Time: b.idle,
		Figures: []measure.Figure{{Value: float64(s.idleRSS) / (1 << 20), Unit: "MiB"}, {Value: s.idleCPU.Seconds(), Unit: "cpu-s"}},
	})
	for i := range s.took {
		line := measure.Result{
			Name: "Run" + name, Time: s.took[i],
			Figures: []measure.Figure{
				{Value: float64(n) / s.took[i].Seconds(), Unit: "objects/s"},
				mebibytes(s.peak[i]),
				{Value: float64(s.cpu[i].Nanoseconds()) / float64(n), Unit: "cpu-ns/object"},
			},
		}
		b.results.Lines = append(b.results.Lines, line)
		fmt.Fprintf(os.Stderr, "%s %v %v\n", line.Name, line.Time.Round(time.Millisecond), line.Figures)
	}
	return nil
}

// watch looks at a server that has nothing to do.
func (b *flatBench) watch(ctx context.Context, pid int, s *sized) error {
	before, err := measure.Of(pid)
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := measure.Of(pid)
	s.idleRSS, s.idleCPU = after.PeakRSS, after.CPU-before.CPU
	return err
}

// once makes one run.
func (b *flatBench) once(ctx context.Context, c cli, s *sized) error {
	if err := measure.ResetPeak(c.server.PID()); err != nil {
		return err
	}
	before, err := measure.Of(c.server.PID())
	if err != nil {
		return err
	}
	out, err := c.run(ctx, "inventory", "run", "--wait", "--json", "-b", lakeBucket, "-i", "bench")
	if err != nil {
		return err
	}
	after, err := measure.Of(c.server.PID())
	if err != nil {
		return err
	}
	var run stocktake.Run
	if err := json.Unmarshal(out, &run); err != nil {
		return fmt.Errorf("stocktake inventory run: %w\n%s", err, out)
	}
	if run.State != stocktake.Succeeded || run.Matched != int64(s.objects) {
		return fmt.Errorf("run %s with %d of %d objects: %s", run.State, run.Matched, s.objects, run.Reason)
	}
	s.peak = append(s.peak, after.PeakRSS)
	s.cpu = append(s.cpu, after.CPU-before.CPU)
	s.took = append(s.took, run.Ended.Sub(run.Started))
	return nil
}

// compare fills in the ratios.
func (b *flatBench) compare() error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.results.Lines = append(b.results.Lines, measure.Result{Name: "Binary", Figures: []measure.Figure{{Value: float64(info.Size()) / 1e6, Unit: "MB"}}})
	first := b.sized[0]
	cost := func(s *sized) float64 { return measure.Median(s.cpu).Seconds() / float64(s.objects) }
	for i := range b.sized[1:] {
		s := &b.sized[i+1]
		of := fmt.Sprintf("of %d objects over that of %d, medians of %d", s.objects, first.objects, b.count)
		b.results.Ratios = append(b.results.Ratios,
			measure.Ratio{Name: "memory", Value: float64(measure.Median(s.peak)) / float64(measure.Median(first.peak)), Says: "peak memory of the process during a run " + of},
			measure.Ratio{Name: "cost", Value: cost(s) / cost(&first), Says: "processor time per object of a run " + of})
	}
	return nil
}
