package runs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lake"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
)

// Readers measures the verbs that read reports: the real binary on reports
// of the lake in folders.
func Readers(ctx context.Context, args []string) error {
	b := &readersBench{Experiment: experiment.New("readers", "folder for the reports, which are removed in the end")}
	rows := experiment.Set(b.Flags, "rows", "10000000", "rows of each of the two reports that are compared", experiment.AtLeast(1000))
	find := experiment.Set(b.Flags, "find", "10000000", "rows of the report that is searched", experiment.AtLeast(1000))
	count := experiment.Set(b.Flags, "count", "3", "how often each is measured; the median counts", experiment.AtLeast(1))
	return b.Main(ctx, args, func(ctx context.Context) error { return b.run(ctx, *rows, *find, *count) })
}

type readersBench struct{ *experiment.Experiment }

func (b *readersBench) run(ctx context.Context, rows, find, count int) error {
	before, err := b.report(ctx, "before", rows, 0)
	if err != nil {
		return err
	}
	after, err := b.report(ctx, "after", rows, 100)
	if err != nil {
		return err
	}
	var took, used []time.Duration
	for range count {
		d, cpu, err := b.time(ctx, fmt.Sprintf("Diff/rows=%d", 2*rows), 2*rows, 1, "report", "diff", before, after, "--summary")
		if err != nil {
			return err
		}
		took, used = append(took, d), append(used, cpu)
	}
	b.AddRatio("diff-cpu", float64(2*rows)/measure.Median(used).Seconds()/1e6, "million rows that report diff compares in a second of one processor, counting both sides; 1 % changed")
	b.AddRatio("diff", float64(2*rows)/measure.Median(took).Seconds()/1e6, "million rows that it compares in a second of the clock, on all processors")
	large := before
	if find != rows {
		if large, err = b.report(ctx, "large", find, 0); err != nil {
			return err
		}
	}
	took, used = nil, nil
	for i := range 10 * count {
		n := (i*2 + 1) * find / (20 * count)
		d, cpu, err := b.time(ctx, fmt.Sprintf("Find/rows=%d", find), 1, 0, "report", "find", "--exact", large, lake.Key(n))
		if err != nil {
			return err
		}
		took, used = append(took, d), append(used, cpu)
	}
	b.AddRatio("find-cpu", float64(measure.Median(used).Milliseconds()), "milliseconds of processor time of report find, of a key anywhere in the report, from start to end of the process; median")
	b.AddRatio("find", float64(measure.Median(took).Milliseconds()), "milliseconds of the clock; median")
	b.AddRatio("find-worst", float64(slices.Max(took).Milliseconds()), "milliseconds of the slowest of them")
	return nil
}

// time runs the binary and measures it. It must end with the code.
func (b *readersBench) time(ctx context.Context, name string, rows, code int, args ...string) (took, cpu time.Duration, err error) {
	binary, err := b.Build(ctx)
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	// The peak that the kernel keeps of an ended process has that of its parent in
	// it, so it is read while the process runs.
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var peak int64
	for {
		select {
		case err = <-ended:
		case <-time.After(5 * time.Millisecond):
			if u, err := measure.Of(cmd.Process.Pid); err == nil {
				peak = max(peak, u.PeakRSS)
			}
			continue
		}
		break
	}
	took = time.Since(start)
	if got := cmd.ProcessState.ExitCode(); got != code {
		return 0, 0, fmt.Errorf("%s: exit code %d, want %d: %w", name, got, code, err)
	}
	cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.Add(name, took, experiment.PerSecond(rows, took, "rows"), experiment.CPUSeconds(cpu), experiment.Mebibytes(peak))
	return took, cpu, nil
}

// report makes a report of the lake in a folder. One row in oneOf is changed; 0:
// none.
func (b *readersBench) report(ctx context.Context, name string, rows, oneOf int) (folder string, err error) {
	folder = filepath.Join(b.Work, name)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	dst, err := dirbucket.Open(folder)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	cfg := stocktake.InventoryConfiguration{
		ID: name, Destination: stocktake.Destination{Format: "CSV", Bucket: lakeserver.ReportsBucket}, IncludedObjectVersions: stocktake.CurrentVersions,
	}
	for f := stocktake.FieldSize; f <= stocktake.FieldCRC64; f++ {
		cfg.OptionalFields = append(cfg.OptionalFields, f)
	}
	job := engine.Job{Run: "run-" + name, Attempt: 1, Bucket: lakeserver.Bucket, Configuration: cfg, Expected: int64(rows)}
	r, err := engine.Run(ctx, lakeSource{rows, oneOf}, dst, job, engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err == nil && r.Summary.Matched != int64(rows) {
		err = fmt.Errorf("%d rows", r.Summary.Matched)
	}
	return filepath.Join(folder, lakeserver.Bucket, name), err
}

// A lakeSource is the lake as a bucket that runs read, without a store.
type lakeSource struct{ rows, oneOf int }

// Snapshot implements [engine.Source].
func (l lakeSource) Snapshot(context.Context, string) (engine.Snapshot, error) {
	return lakeSnapshot{l, time.Now()}, nil
}

type lakeSnapshot struct {
	lakeSource
	taken time.Time
}

func (l lakeSnapshot) Time() time.Time                    { return l.taken }
func (l lakeSnapshot) Consistency() stocktake.Consistency { return stocktake.ConsistencySnapshot }

func (l lakeSnapshot) Count(context.Context, string) (int64, error)         { return int64(l.rows), nil }
func (l lakeSnapshot) Split(context.Context, string, int) ([]string, error) { return nil, nil }
func (l lakeSnapshot) Close() error                                         { return nil }

// Scan implements [engine.Snapshot] for segments that are the whole lake.
func (l lakeSnapshot) Scan(ctx context.Context, seg engine.Segment, _ bool, yield func([]stocktake.Record) error) error {
	if seg != (engine.Segment{}) {
		return fmt.Errorf("segment %+v: the lake is not cut", seg)
	}
	batch := make([]stocktake.Record, 0, 512)
	i := 0
	for info := range lake.Objects(l.rows) {
		r := stocktake.Record{
			Key: []byte(info.Key), ETag: info.ETag, Size: info.Size, LastModified: info.LastModified.Unix(), CRC64: info.CRC64, HasCRC64: true,
			TaggingCount: uint16(len(info.Tags)), StorageClass: info.StorageClass, Type: info.Type, IsLatest: true, Multipart: info.Type == stocktake.Multipart,
		}
		if i++; l.oneOf > 0 && i%l.oneOf == 0 {
			r.Size++
			r.LastModified++
		}
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := errors.Join(ctx.Err(), yield(batch)); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return yield(batch)
}
