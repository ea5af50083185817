package main

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake/bench/measure"
)

// The decisive ratio is that of the listing with the least processor time.
func TestBestListing(t *testing.T) {
	took := func(name string, seconds ...time.Duration) *entrant {
		e := &entrant{name: name, says: name}
		for _, s := range seconds {
			e.cpus = append(e.cpus, s*time.Second)
		}
		return e
	}
	b := &listersBench{contest: contest{measurement: newMeasurement("listers", "")}}
	b.best("vgw", []*entrant{took("take", 2, 1, 2), took("mc", 90, 90, 90), took("sdk", 12, 50, 11), took("rclone", 30, 30, 30)})
	want := measure.Ratio{Name: "best-listing/server=vgw/cpu", Value: 6, Says: "processor time of sdk, the least of any, over that of take"}
	if got := b.results.Ratios; len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
