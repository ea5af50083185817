package measure_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

func TestUsageOfThisProcess(t *testing.T) {
	before, err := measure.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for end := time.Now().Add(10 * time.Second); after.CPU <= before.CPU && time.Now().Before(end); { // a busy machine may not let us run for long
		_ = strings.Repeat("x", 1<<20)
		if after, err = measure.Of(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if after.CPU <= before.CPU || after.PeakRSS < 1<<20 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestPeakCanBeForgotten(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if err := measure.ResetPeak(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := measure.Of(cmd.Process.Pid); err != nil {
		t.Error(err)
	}
}

func TestText(t *testing.T) {
	r := measure.Results{
		Date: time.Date(2026, time.November, 22, 23, 0, 0, 0, time.UTC),
		Args: []string{"run", "-objects", "10"},
		Host: measure.Host{
			CPU: "a model", CPUs: 2, Memory: 1 << 30, Go: "go1.26", Commit: "abc",
			Disk: measure.Disk{FileSystem: "ext4", Write: 5e8, Sync50: 63 * time.Microsecond, Sync99: time.Millisecond},
		},
		Ratios: []measure.Ratio{{Name: "R", Value: 1.304, Says: "theirs / ours"}},
		Lines: []measure.Result{
			{Name: "Run/objects=10", Time: time.Second, Figures: []measure.Figure{{Value: 10, Unit: "objects/s"}, {Value: 12.34, Unit: "MiB-peak"}}},
		},
	}
	text := string(r.Text())
	for _, want := range []string{
		"ratio R 1.30: theirs / ours\n\n", "date: 2026-11-22\n", "commit: abc\n", "command: go run . run -objects 10\n",
		"disk: ext4, 500 MB/s written in order, sync of 4 KiB p50 63µs p99 1ms\n",
		"BenchmarkRun/objects=10-2\t1\t1000000000 ns/op\t10 objects/s\t12.3 MiB-peak\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.HasPrefix(text, "ratio") {
		t.Errorf("ratios do not come first:\n%s", text)
	}
}

func TestMedian(t *testing.T) {
	if got := measure.Median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median of 3, 1, 2: %v", got)
	}
}
