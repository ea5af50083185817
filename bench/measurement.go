package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake/bench/load"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

// A measurement has the common parts of commands that measure: the folders they use,
// and the storing of their results. A command adds its own flags to flags before it
// calls main.
type measurement struct {
	flags   *flag.FlagSet
	work    string // folder below -dir, there while main lasts
	results measure.Results
	table   string // for people: printed after the results, but not saved

	dir, save string
	binary    string // of stocktake, once it is built
}

// newMeasurement returns the measurement of the command of that name; dir says
// what its folder is for.
func newMeasurement(command, dir string) *measurement {
	m := &measurement{flags: flag.NewFlagSet(command, flag.ContinueOnError)}
	m.flags.StringVar(&m.dir, "dir", os.TempDir(), dir)
	m.flags.StringVar(&m.save, "results", "results", "folder for the figures, which is made if it is not there")
	return m
}

// main reads the flags, measures, saves the results under the name of the command,
// and prints them. It reports invalid flags before the measurement, which takes
// minutes.
func (m *measurement) main(ctx context.Context, args []string, do func(ctx context.Context) error) (err error) {
	if err := parse(m.flags, args); err != nil {
		return err
	}
	if err := measure.Writable(m.save); err != nil {
		return fmt.Errorf("-results: %w", err)
	}
	dir, err := filepath.Abs(m.dir) // programs in other folders need the absolute path
	if err != nil {
		return err
	}
	if m.work, err = os.MkdirTemp(dir, "stocktake-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.work)) }()
	m.results = measure.Results{Date: time.Now(), Args: shown(m.flags)}
	if m.results.Host, err = measure.ThisHost(ctx, m.work, "."); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	path, err := m.results.Save(m.save, m.flags.Name())
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", m.results.Text())
	if m.table != "" {
		fmt.Printf("%s\n", m.table)
	}
	fmt.Printf("(in %s)\n", path)
	return nil
}

// build builds the binary as it is shipped, on the first call, and returns its path.
func (m *measurement) build(ctx context.Context) (string, error) {
	if m.binary != "" {
		return m.binary, nil
	}
	binary, err := testserver.Build(ctx, m.work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return "", err
	}
	m.binary = binary
	return binary, nil
}

// data returns the folder of the store that is measured.
func (m *measurement) data() string { return filepath.Join(m.work, "data") }

// add adds a line to the results and shows it.
func (m *measurement) add(name string, took time.Duration, figures ...measure.Figure) {
	m.results.Lines = append(m.results.Lines, measure.Result{Name: name, Time: took, Figures: figures})
	fmt.Fprintf(os.Stderr, "%s: %v %v\n", name, took.Round(time.Microsecond), figures)
}

func (m *measurement) addRatio(name string, value float64, says string) {
	m.results.Ratios = append(m.results.Ratios, measure.Ratio{Name: name, Value: value, Says: says})
}

func perSecond(n int, took time.Duration, unit string) measure.Figure {
	return measure.Figure{Value: float64(n) / took.Seconds(), Unit: unit + "/s"}
}

func cpuSeconds(d time.Duration) measure.Figure {
	return measure.Figure{Value: d.Seconds(), Unit: "cpu-s"}
}

func mebibytes(n int64) measure.Figure {
	return measure.Figure{Value: float64(n) / (1 << 20), Unit: "MiB-peak"}
}

func p50(o load.Outcome) measure.Figure {
	return measure.Figure{Value: float64(o.P50.Microseconds()), Unit: "p50-us"}
}

func p99(o load.Outcome) measure.Figure {
	return measure.Figure{Value: float64(o.P99.Microseconds()), Unit: "p99-us"}
}
