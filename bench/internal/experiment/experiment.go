// Package experiment has what every measurement needs: its flags, its folders, a
// build of the binary, its results in a file, and contests of several ways to the
// same rows.
package experiment

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/testserver"
)

// An Experiment has the common parts of commands that measure: the folders they use,
// and the storing of their results. A command adds its own flags to Flags before it
// calls Main.
type Experiment struct {
	Flags   *flag.FlagSet
	Work    string // folder below -dir, there while Main lasts
	Results measure.Results
	Table   string // for people: printed after the results, but not saved

	dir, save string
	Binary    string // of stocktake, once it is built
}

// New returns the experiment of the command of that name; dir says
// what its folder is for.
func New(command, dir string) *Experiment {
	m := &Experiment{Flags: flag.NewFlagSet(command, flag.ContinueOnError)}
	m.Flags.StringVar(&m.dir, "dir", os.TempDir(), dir)
	m.Flags.StringVar(&m.save, "results", "results", "folder for the figures, which is made if it is not there")
	return m
}

// Main reads the flags, measures, saves the results under the name of the command,
// and prints them. It reports invalid flags before the measurement, which takes
// minutes.
func (m *Experiment) Main(ctx context.Context, args []string, do func(ctx context.Context) error) (err error) {
	if err := Parse(m.Flags, args); err != nil {
		return err
	}
	if err := measure.Writable(m.save); err != nil {
		return fmt.Errorf("-results: %w", err)
	}
	dir, err := filepath.Abs(m.dir) // programs in other folders need the absolute path
	if err != nil {
		return err
	}
	if m.Work, err = os.MkdirTemp(dir, "stocktake-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.Work)) }()
	m.Results = measure.Results{Date: time.Now(), Args: shown(m.Flags)}
	if m.Results.Host, err = measure.ThisHost(ctx, m.Work, "."); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	path, err := m.Results.Save(m.save, m.Flags.Name())
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", m.Results.Text())
	if m.Table != "" {
		fmt.Printf("%s\n", m.Table)
	}
	fmt.Printf("(in %s)\n", path)
	return nil
}

// Build builds the binary as it is shipped, on the first call, and returns its path.
func (m *Experiment) Build(ctx context.Context) (string, error) {
	if m.Binary != "" {
		return m.Binary, nil
	}
	binary, err := testserver.Build(ctx, m.Work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return "", err
	}
	m.Binary = binary
	return binary, nil
}

// Data returns the folder of the store that is measured.
func (m *Experiment) Data() string { return filepath.Join(m.Work, "data") }

// Add adds a line to the results and shows it.
func (m *Experiment) Add(name string, took time.Duration, figures ...measure.Figure) {
	m.Results.Lines = append(m.Results.Lines, measure.Result{Name: name, Time: took, Figures: figures})
	fmt.Fprintf(os.Stderr, "%s: %v %v\n", name, took.Round(time.Microsecond), figures)
}

// AddRatio adds a ratio to the results; says names what is divided by what.
func (m *Experiment) AddRatio(name string, value float64, says string) {
	m.Results.Ratios = append(m.Results.Ratios, measure.Ratio{Name: name, Value: value, Says: says})
}

// PerSecond returns n over took, as units a second.
func PerSecond(n int, took time.Duration, unit string) measure.Figure {
	return measure.Figure{Value: float64(n) / took.Seconds(), Unit: unit + "/s"}
}

// CPUSeconds returns processor time as a figure.
func CPUSeconds(d time.Duration) measure.Figure {
	return measure.Figure{Value: d.Seconds(), Unit: "cpu-s"}
}

// Mebibytes returns peak memory of n bytes as a figure.
func Mebibytes(n int64) measure.Figure {
	return measure.Figure{Value: float64(n) / (1 << 20), Unit: "MiB-peak"}
}

// P50 returns the median latency of a load.
func P50(o load.Outcome) measure.Figure {
	return measure.Figure{Value: float64(o.P50.Microseconds()), Unit: "p50-us"}
}

// P99 returns the latency that 99 of 100 requests of a load stay below.
func P99(o load.Outcome) measure.Figure {
	return measure.Figure{Value: float64(o.P99.Microseconds()), Unit: "p99-us"}
}
