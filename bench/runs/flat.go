package runs

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// Flat measures what grows with the number of objects and must not:
// memory, cost per object, and the time that a server takes to be ready. Each
// store is measured once the disk has all of its seed.
func Flat(ctx context.Context, args []string) error {
	b := flatBench{Experiment: experiment.New("flat", "folder for the stores, each of which is removed before the next")}
	sizes := experiment.Set(b.Flags, "objects", "1000000,10000000,100000000", "objects in the bucket, one store after another; the last takes 14 GB of disk", experiment.Numbers)
	count := experiment.Set(b.Flags, "count", "3", "runs measured in each store; the median counts", experiment.AtLeast(1))
	idle := experiment.Set(b.Flags, "idle", "5s", "how long a server is watched that has nothing to do", experiment.Positive)
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.count, b.idle = *count, *idle
		for _, n := range *sizes {
			if err := lakeserver.With(ctx, b.Experiment, n, func(s *lakeserver.Server) error { return b.size(ctx, s) }); err != nil {
				return err
			}
		}
		return b.compare()
	})
}

type flatBench struct {
	*experiment.Experiment
	count int
	idle  time.Duration
	sized []sized
}

// sized is the result with one number of objects.
type sized struct {
	objects int
	peak    []int64         // of each run, in bytes
	cpu     []time.Duration // of each run
}

// size measures a server.
func (b *flatBench) size(ctx context.Context, s *lakeserver.Server) error {
	name := fmt.Sprintf("/objects=%d", s.Store.Objects)
	b.Add("Ready"+name, s.Ready)
	used, err := b.watch(ctx, s.Server.PID())
	if err != nil {
		return err
	}
	b.Add("Idle"+name, b.idle, measure.Figure{Value: float64(used.PeakRSS) / (1 << 20), Unit: "MiB"}, experiment.CPUSeconds(used.CPU))
	if err := s.Configure(ctx); err != nil {
		return err
	}
	found := sized{objects: s.Store.Objects}
	for range b.count {
		run, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		b.Add("Run"+name, run.Took, experiment.PerSecond(s.Store.Objects, run.Took, "objects"), experiment.Mebibytes(run.Used.PeakRSS),
			measure.Figure{Value: float64(run.Used.CPU.Nanoseconds()) / float64(s.Store.Objects), Unit: "cpu-ns/object"})
		found.peak = append(found.peak, run.Used.PeakRSS)
		found.cpu = append(found.cpu, run.Used.CPU)
	}
	b.sized = append(b.sized, found)
	return nil
}

// watch looks at a server that has nothing to do.
func (b *flatBench) watch(ctx context.Context, pid int) (used measure.Usage, err error) {
	before, err := measure.Of(pid)
	if err != nil {
		return used, err
	}
	select {
	case <-time.After(b.idle):
	case <-ctx.Done():
		return used, context.Cause(ctx)
	}
	used, err = measure.Of(pid)
	used.CPU -= before.CPU
	return used, err
}

// compare fills in the ratios.
func (b *flatBench) compare() error {
	info, err := os.Stat(b.Binary)
	if err != nil {
		return err
	}
	b.Add("Binary", 0, measure.Figure{Value: float64(info.Size()) / 1e6, Unit: "MB"})
	first := b.sized[0]
	cost := func(s sized) float64 { return measure.Median(s.cpu).Seconds() / float64(s.objects) }
	for _, s := range b.sized[1:] {
		of := fmt.Sprintf("of %d objects over that of %d, medians of %d", s.objects, first.objects, b.count)
		b.AddRatio("memory", float64(measure.Median(s.peak))/float64(measure.Median(first.peak)), "peak memory of the process during a run "+of)
		b.AddRatio("cost", cost(s)/cost(first), "processor time per object of a run "+of)
	}
	return nil
}
