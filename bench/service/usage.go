package service

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

// usage returns what the server has used; fresh resets its peak of memory.
func (b *serviceBench) usage(fresh bool) (measure.Usage, error) {
	if fresh {
		if err := measure.ResetPeak(b.cli.Server.PID()); err != nil {
			return measure.Usage{}, err
		}
	}
	return measure.Of(b.cli.Server.PID())
}

// resident returns the memory of the server that is resident now.
func (b *serviceBench) resident() (measure.Figure, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", b.cli.Server.PID()))
	if err != nil {
		return measure.Figure{}, err
	}
	pages, err := residentPages(text)
	return measure.Figure{Value: float64(pages*int64(os.Getpagesize())) / (1 << 20), Unit: "MiB"}, err
}

// residentPages reads the second field of /proc/PID/statm.
//
// Source: proc(5).
func residentPages(statm []byte) (int64, error) {
	f := bytes.Fields(statm)
	if len(f) < 2 {
		return 0, fmt.Errorf("malformed statm of the process: %q", statm)
	}
	return strconv.ParseInt(string(f[1]), 10, 64)
}

// A server that has used less than quietShare of a core for a second is quiet; after
// patience it is measured even if it is not.
const (
	quietShare    = 0.02
	quietPatience = 15 * time.Second
)

// watch returns the CPU time that the server would use in an hour of having
// nothing to do, from b.idle of it.
func (b *serviceBench) watch(ctx context.Context, name string) (hour time.Duration, err error) {
	for end := time.Now().Add(quietPatience); time.Now().Before(end); {
		used, err := b.during(ctx, time.Second)
		if err != nil {
			return 0, err
		}
		if used.Seconds() < quietShare {
			break
		}
	}
	used, err := b.during(ctx, b.idle)
	if err != nil {
		return 0, err
	}
	resident, err := b.resident()
	if err != nil {
		return 0, err
	}
	hour = time.Duration(float64(used) * float64(time.Hour) / float64(b.idle))
	b.Add(name, b.idle, measure.Figure{Value: hour.Seconds(), Unit: "cpu-s/hour"}, resident)
	return hour, nil
}

// during returns the CPU time that the server uses in d.
func (b *serviceBench) during(ctx context.Context, d time.Duration) (time.Duration, error) {
	before, err := threadTime(b.cli.Server.PID())
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	after, err := threadTime(b.cli.Server.PID())
	return after - before, err
}

// threadTime returns the CPU time of the threads that a process has. Unlike
// that of [measure.Of] it is not counted in hundredths of a second: an idle server
// uses less than one. The time of a thread that ends is lost, but the threads of
// Go's scheduler stay.
//
// Source: Linux, Documentation/scheduler/sched-stats.rst.
func threadTime(pid int) (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		first, _, _ := bytes.Cut(text, []byte(" "))
		n, err := strconv.ParseInt(string(first), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		sum += time.Duration(n)
	}
	if len(threads) == 0 {
		return 0, fmt.Errorf("process %d: the kernel keeps no times of its threads", pid)
	}
	return sum, nil
}
