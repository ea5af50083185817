package runs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/report"
)

// Parts measures each part of a run separately, on one goroutine, and the
// whole run in comparison with its compressor, all in one process. It measures
// processor time, user and system, so that a busy machine affects it less.
func Parts(ctx context.Context, args []string) error {
	b := partsBench{Experiment: experiment.New("parts", "folder for the store, which is removed in the end"), samples: map[string][]sample{}}
	objects := experiment.Set(b.Flags, "objects", "1000000", "objects in the bucket", experiment.AtLeast(1000))
	count := experiment.Set(b.Flags, "count", "5", "how often each part is measured, in turn; the median counts", experiment.AtLeast(1))
	profile := b.Flags.String("cpuprofile", "", "file for a profile of the whole runs; empty: none is taken")
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.objects = *objects
		return b.run(ctx, *count, *profile)
	})
}

// A sample is what one execution of a part took.
type sample struct {
	took   time.Duration
	cpu    time.Duration // all threads of the process
	allocs uint64
}

type partsBench struct {
	*experiment.Experiment
	objects int
	samples map[string][]sample

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
	b.samples[name] = append(b.samples[name], s)
	b.Add(fmt.Sprintf("%s/objects=%d", name, n), s.took,
		measure.Figure{Value: float64(n) / s.cpu.Seconds(), Unit: "objects/cpu-s"},
		measure.Figure{Value: float64(s.cpu.Nanoseconds()) / float64(n), Unit: "cpu-ns/object"},
		measure.Figure{Value: float64(s.allocs) / float64(n), Unit: "allocs/object"})
	return nil
}

func (b *partsBench) run(ctx context.Context, count int, profile string) (err error) {
	if err := lakeserver.Seed(ctx, b.Data(), lakeserver.Bucket, b.objects); err != nil {
		return err
	}
	if err := measure.Settle(b.Data()); err != nil {
		return err
	}
	s, err := store.Open(ctx, b.Data(), store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.CreateBucket(ctx, object.ByService("bench"), object.Bucket{
		Name: lakeserver.ReportsBucket, Owner: testserver.AccountID, Created: time.Now(),
		Redundancy: "LRS", ACL: stocktake.Private,
	}, false); err != nil {
		return err
	}
	configuration := stocktake.InventoryConfiguration{
		ID: "bench", Destination: stocktake.Destination{Format: "CSV", Bucket: lakeserver.ReportsBucket},
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

// whole makes a report with as many workers as the reference has.
func (b *partsBench) whole(ctx context.Context, s *store.Store, cfg stocktake.InventoryConfiguration, number int) error {
	cfg.ID = fmt.Sprintf("bench-%d", number)
	name := "Run"
	if number >= 100 {
		name = "RunBefore"
	}
	manifest := ""
	dst := s.Destination(lakeserver.ReportsBucket, object.ByService("bench"))
	if err := b.time(name, b.objects, func() error {
		job := engine.Job{Run: fmt.Sprintf("run-%d", number), Attempt: 1, Bucket: lakeserver.Bucket, Configuration: cfg}
		r, err := engine.Run(ctx, s.Source(), dst, job, engine.Options{
			Workers: compressors, Log: slog.New(slog.DiscardHandler),
		})
		if err == nil && r.Summary.Matched != int64(b.objects) {
			err = fmt.Errorf("%d objects matched", r.Summary.Matched)
		}
		manifest = r.Manifest
		return err
	}); err != nil {
		return err
	}
	if number >= 100 {
		return nil
	}
	for _, p := range []struct {
		name string
		opts report.VerifyOptions
	}{
		{"Verify", report.VerifyOptions{Workers: compressors}},
		{"VerifyHashes", report.VerifyOptions{Workers: compressors, Hashes: true}},
	} {
		if err := b.time(p.name, b.objects, func() error {
			v, err := report.Verify(ctx, dst, manifest, p.opts)
			if err == nil && !v.OK {
				err = fmt.Errorf("found %v", v.Findings)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// ratios computes the ratios of the figures.
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
	b.AddRatio("R-cpu", level1/perObject("Run", b.objects),
		"processor time per object of klauspost/compress level 1 alone over that of the whole run")
	b.AddRatio("rollup", perObject("RollUp", n)/perObject("Run", b.objects),
		"processor time per object of the roll-up over that of the whole run, which makes one")
	b.AddRatio("verify", perObject("Verify", b.objects)/perObject("Run", b.objects),
		"processor time of verifying a report over that of the run that made it")
	b.AddRatio("verify-hashes", perObject("VerifyHashes", b.objects)/perObject("Run", b.objects),
		"processor time of comparing sizes and hashes alone over that of the run")
	b.AddRatio("compressor", level1/perObject("EncodeAndCompress", n),
		"processor time of klauspost/compress level 1 alone over that of csvgz, which formats the rows too")
}
