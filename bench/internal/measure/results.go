package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Ratio is one of our figures divided by another program's, or the reverse, both
// from one run on one machine. Ratios are what can be quoted.
type Ratio struct {
	Name  string
	Value float64
	Says  string // what is divided by what
}

// A Result is one line of figures, in the format of go test -bench, so that
// benchstat reads it.
type Result struct {
	Name    string        // without "Benchmark"
	Time    time.Duration // of one execution
	Figures []Figure
}

// A Figure is a number with its unit, such as objects/s.
type Figure struct {
	Value float64
	Unit  string
}

// Results is what one benchmark run found.
type Results struct {
	Host   Host
	Date   time.Time
	Args   []string // of the command that made it
	Ratios []Ratio
	Lines  []Result
}

// Text returns the file of r: ratios first, then the host, then every figure.
func (r *Results) Text() []byte {
	var b bytes.Buffer
	for _, ratio := range r.Ratios {
		fmt.Fprintf(&b, "ratio %s %.2f: %s\n", ratio.Name, ratio.Value, ratio.Says)
	}
	if len(r.Ratios) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "date: %s\n", r.Date.UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "commit: %s\n", r.Host.Commit)
	fmt.Fprintf(&b, "command: go run . %s\n", strings.Join(r.Args, " "))
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\ngo: %s\n", runtime.GOOS, runtime.GOARCH, r.Host.Go)
	fmt.Fprintf(&b, "cpu: %s\ncpus: %d\nmemory: %d MiB\n", r.Host.CPU, r.Host.CPUs, r.Host.Memory>>20)
	d := r.Host.Disk
	fmt.Fprintf(&b, "disk: %s, %.0f MB/s written in order, sync of 4 KiB p50 %v p99 %v\n\n",
		d.FileSystem, d.Write/1e6, d.Sync50.Round(time.Microsecond), d.Sync99.Round(time.Microsecond))
	for _, line := range r.Lines {
		fmt.Fprintf(&b, "Benchmark%s-%d\t1\t%d ns/op", line.Name, r.Host.CPUs, line.Time.Nanoseconds())
		for _, f := range line.Figures {
			fmt.Fprintf(&b, "\t%s %s", number(f.Value), f.Unit)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// number writes v with three digits or more, without an exponent.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// Save writes r into dir as DATE-CLASS-NAME.txt and returns the path.
func (r *Results) Save(dir, name string) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.txt", r.Date.UTC().Format(time.DateOnly), r.Host.Class(), name))
	return path, os.WriteFile(path, r.Text(), 0o644)
}

// Median returns the middle of values, which must not be empty.
func Median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
