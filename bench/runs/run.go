// Package runs measures runs of a bucket of the embedded store and the readers of
// their reports.
package runs

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// Run measures runs of a seeded bucket through the real binary, once the
// disk has all of the seed.
func Run(ctx context.Context, args []string) error {
	b := runBench{Experiment: experiment.New("run", "folder for the store, which is removed in the end")}
	objects := experiment.Set(b.Flags, "objects", "1000000", "objects in the bucket", experiment.AtLeast(1))
	count := experiment.Set(b.Flags, "count", "5", "runs measured, each together with its compressor; the median counts", experiment.AtLeast(1))
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.objects = *objects
		return lakeserver.With(ctx, b.Experiment, b.objects, func(s *lakeserver.Server) error {
			b.addPart("Seed", s.Store.Seeded, b.rate(s.Store.Seeded))
			return b.measure(ctx, s, *count)
		})
	})
}

// A runBench is one measurement of runs over one bucket.
type runBench struct {
	*experiment.Experiment
	objects   int
	reference compressor
}

// addPart adds a line about all objects.
func (b *runBench) addPart(part string, took time.Duration, figures ...measure.Figure) {
	b.Add(fmt.Sprintf("%s/objects=%d", part, b.objects), took, figures...)
}

func (b *runBench) rate(took time.Duration) measure.Figure {
	return experiment.PerSecond(b.objects, took, "objects")
}

// measure makes runs and compares them with their compressor.
func (b *runBench) measure(ctx context.Context, s *lakeserver.Server, count int) error {
	idle, err := measure.Of(s.Server.PID())
	if err != nil {
		return err
	}
	b.addPart("Ready", s.Ready, experiment.Mebibytes(idle.PeakRSS))
	if err := s.Configure(ctx); err != nil {
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
	b.AddRatio("R", measure.Median(times), fmt.Sprintf("time of klauspost/compress level 1 alone, %d goroutines, over time of the whole run; median of %d pairs", compressors, count))
	b.AddRatio("cpu", measure.Median(cpus), "the same of CPU time, which says less of what else the machine did")
	b.AddRatio("size", measure.Median(sizes), "bytes of the report over bytes of klauspost/compress level 1")
	return nil
}

// A pair compares one run with its compressor alone: time and CPU time of the
// compressor over those of the run, and size of the report over that of the
// compressor's output.
type pair struct{ time, cpu, size float64 }

// once makes one run and compresses its rows alone.
func (b *runBench) once(ctx context.Context, s *lakeserver.Server) (p pair, err error) {
	run, err := s.Inventory(ctx)
	if err != nil {
		return p, err
	}
	b.addPart("Run", run.Took, b.rate(run.Took), experiment.Mebibytes(run.Used.PeakRSS),
		experiment.CPUSeconds(run.Used.CPU), measure.Figure{Value: float64(run.Shards), Unit: "shards"})

	start := time.Now()
	if _, err := s.Run(ctx, "report", "verify", "oss://"+run.Destination+"/"+run.Manifest); err != nil {
		return p, err
	}
	verified := time.Since(start)
	b.addPart("Verify", verified, b.rate(verified))

	var alone compressed
	if err := s.EachShard(ctx, run.Destination, run.Manifest, func(stored io.Reader) error {
		return b.reference.compress(&alone, stored)
	}); err != nil {
		return p, err
	}
	b.addPart("CompressorAlone", alone.took, b.rate(alone.took), experiment.CPUSeconds(alone.cpu),
		measure.Figure{Value: float64(alone.read) / 1e6 / alone.took.Seconds(), Unit: "MB/s"},
		measure.Figure{Value: float64(alone.read) / float64(b.objects), Unit: "B/row"})
	return pair{
		time: alone.took.Seconds() / run.Took.Seconds(),
		cpu:  alone.cpu.Seconds() / run.Used.CPU.Seconds(),
		size: float64(run.Written) / float64(alone.written),
	}, nil
}
