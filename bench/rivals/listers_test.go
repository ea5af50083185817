package rivals

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// The decisive ratio is that of the listing with the least processor time.
func TestBestListing(t *testing.T) {
	took := func(name string, seconds ...time.Duration) *experiment.Entrant {
		e := &experiment.Entrant{Name: name, Says: name}
		for _, s := range seconds {
			e.CPUs = append(e.CPUs, s*time.Second)
		}
		return e
	}
	b := &listersBench{Contest: experiment.Contest{Experiment: experiment.New("listers", "")}}
	b.best("vgw", []*experiment.Entrant{took("take", 2, 1, 2), took("mc", 90, 90, 90), took("sdk", 12, 50, 11), took("rclone", 30, 30, 30)})
	want := measure.Ratio{Name: "best-listing/server=vgw/cpu", Value: 6, Says: "processor time of sdk, the least of any, over that of take"}
	if got := b.Results.Ratios; len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCopied(t *testing.T) {
	for said, want := range map[string]int{"COPY 20000": 20000, "SET\nSET\nCOPY 7": 7, "": -1, "SET": -1, "COPY many": -1} {
		if n, err := copied(said); (err == nil) != (want >= 0) || err == nil && n != want {
			t.Errorf("%q: %d, %v, want %d", said, n, err, want)
		}
	}
}

func TestOthers(t *testing.T) {
	if all, err := others("minio,versitygw"); err != nil || len(all) != 2 {
		t.Errorf("%v, %v, want two servers", all, err)
	}
	if _, err := others("minio,stocktake"); err == nil {
		t.Error("no error for ours among others")
	}
}
