package measure_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

// The time of children counts while they live and when they have ended.
func TestFamilyCPU(t *testing.T) {
	before, err := measure.FamilyCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	after, err := measure.FamilyCPU(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("%v after a child that was busy, %v before: %v", after, before, err)
	}
	if _, err := measure.FamilyCPU(1 << 30); err == nil {
		t.Error("a process that is not there has a time")
	}
}
