package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/stocktake/stocktake/bench/measure"
)

// runCommand measures runs of a seeded bucket through the real binary, once the
// disk has all of the seed.
func runCommand(ctx context.Context, args []string) error {
	b := runBench{measurement: newMeasurement("run", "folder for the store, which is removed in the end")}
	objects := set(b.flags, "objects", "1000000", "objects in the bucket", atLeast(1))
	count := set(b.flags, "count", "5", "runs measured, each together with its compressor; the median counts", atLeast(1))
	return b.main(ctx, args, func(ctx context.Context) error {
		b.objects = *objects
		return b.withLake(ctx, b.objects, func(s *lakeServer) error {
			b.addPart("Seed", s.lake.seeded, b.rate(s.lake.seeded))
			return b.measure(ctx, s, *count)
		})
	})
}

// A runBench is one measurement of runs over one bucket.
type runBench struct {
	*measurement
	objects   int
	reference compressor
}

// addPart adds a line about all objects.
func (b *runBench) addPart(part string, took time.Duration, figures ...measure.Figure) {
	b.add(fmt.Sprintf("%s/objects=%d", part, b.objects), took, figures...)
}

func (b *runBench) rate(took time.Duration) measure.Figure {
	return perSecond(b.objects, took, "objects")
}

// measure makes runs and compares them with their compressor.
func (b *runBench) measure(ctx context.Context, s *lakeServer, count int) error {
	idle, err := measure.Of(s.server.PID())
	if err != nil {
		return err
	}
	b.addPart("Ready", s.ready, mebibytes(idle.PeakRSS))
	if err := s.configure(ctx); err != nil {
		return err
	}
	var times, cpus, sizes []float64
	for range count {
		p, err := b.once(ctx, s)
		if err != nil {
			return err
		}
		times, cpus, sizes = append(times, p.time), append(cpus, p.cpu), append(sizes, p.size)
	}
	b.addRatio("R", measure.Median(times), fmt.Sprintf("time of klauspost/compress level 1 alone, %d goroutines, over time of the whole run; median of %d pairs", compressors, count))
	b.addRatio("cpu", measure.Median(cpus), "the same of CPU time, which says less of what else the machine did")
	b.addRatio("size", measure.Median(sizes), "bytes of the report over bytes of klauspost/compress level 1")
	return nil
}

// A pair compares one run with its compressor alone: time and CPU time of the
// compressor over those of the run, and size of the report over that of the
// compressor's output.
type pair struct{ time, cpu, size float64 }

// once makes one run and compresses its rows alone.
func (b *runBench) once(ctx context.Context, s *lakeServer) (p pair, err error) {
	run, err := s.inventory(ctx)
	if err != nil {
		return p, err
	}
	b.addPart("Run", run.took, b.rate(run.took), mebibytes(run.used.PeakRSS),
		cpuSeconds(run.used.CPU), measure.Figure{Value: float64(run.Shards), Unit: "shards"})

	start := time.Now()
	if _, err := s.run(ctx, "report", "verify", "oss://"+run.Destination+"/"+run.Manifest); err != nil {
		return p, err
	}
	verified := time.Since(start)
	b.addPart("Verify", verified, b.rate(verified))

	var alone compressed
	if err := s.eachShard(ctx, run.Destination, run.Manifest, func(stored io.Reader) error {
		return b.reference.compress(&alone, stored)
	}); err != nil {
		return p, err
	}
	b.addPart("CompressorAlone", alone.took, b.rate(alone.took), cpuSeconds(alone.cpu),
		measure.Figure{Value: float64(alone.read) / 1e6 / alone.took.Seconds(), Unit: "MB/s"},
		measure.Figure{Value: float64(alone.read) / float64(b.objects), Unit: "B/row"})
	return pair{
		time: alone.took.Seconds() / run.took.Seconds(),
		cpu:  alone.cpu.Seconds() / run.used.CPU.Seconds(),
		size: float64(run.Written) / float64(alone.written),
	}, nil
}
