package service

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// history returns the runs that a configuration should have: the first and one a
// night.
func history(i, each int) (runs []stocktake.Run) {
	for n := range each {
		r := stocktake.Run{
			ID: fmt.Sprintf("run-%d-%d", i, n), State: stocktake.Succeeded, Attempt: 1, Trigger: stocktake.TriggerScheduled,
			Due: time.Unix(int64(n)*86400, 0), Manifest: fmt.Sprintf("inv/%d/%d/manifest.json", i, n),
		}
		r.Matched = crowdRows
		if n == 0 {
			r.Trigger = stocktake.TriggerFirst
		}
		runs = append([]stocktake.Run{r}, runs...)
	}
	return runs
}

func TestTally(t *testing.T) {
	const configurations, each = 5, 3
	for _, tt := range []struct {
		name                 string
		spoil                func(i int, runs []stocktake.Run, manifests map[string]bool) []stocktake.Run
		lost, doubled, wrong int
	}{
		{"all well", func(_ int, runs []stocktake.Run, _ map[string]bool) []stocktake.Run { return runs }, 0, 0, 0},
		{"a night lost", func(i int, runs []stocktake.Run, m map[string]bool) []stocktake.Run {
			if i == 2 {
				delete(m, runs[0].Manifest)
				return runs[1:]
			}
			return runs
		}, 1, 0, 1},
		{"a night doubled", func(i int, runs []stocktake.Run, m map[string]bool) []stocktake.Run {
			if i == 2 {
				again := runs[0]
				again.ID, again.Manifest = "again", "inv/again/manifest.json"
				m[again.Manifest] = true
				return append(runs, again)
			}
			return runs
		}, 0, 1, 1},
		{"a report gone", func(i int, runs []stocktake.Run, m map[string]bool) []stocktake.Run {
			if i == 2 {
				delete(m, runs[0].Manifest)
			}
			return runs
		}, 1, 0, 0},
		{"a report of no run", func(_ int, runs []stocktake.Run, m map[string]bool) []stocktake.Run {
			m["inv/stranger/manifest.json"] = true
			return runs
		}, 0, 1, 0},
		{"a run failed", func(i int, runs []stocktake.Run, _ map[string]bool) []stocktake.Run {
			if i == 2 {
				runs[1].State = stocktake.Failed
			}
			return runs
		}, 0, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tally, manifests := newTally(each), map[string]bool{}
			for i := range configurations {
				for _, r := range history(i, each) {
					manifests[r.Manifest] = true
				}
			}
			for i := range configurations {
				tally.add(tt.spoil(i, history(i, each), manifests))
			}
			lost, doubled := tally.faults(configurations, manifests)
			if lost != tt.lost || doubled != tt.doubled || len(tally.wrong) != tt.wrong {
				t.Errorf("%d lost, %d doubled, %d wrong; want %d, %d, %d", lost, doubled, len(tally.wrong), tt.lost, tt.doubled, tt.wrong)
			}
		})
	}
}

func TestTallyMissesAConfiguration(t *testing.T) {
	tally := newTally(3)
	if lost, doubled := tally.faults(2, nil); lost != 6 || doubled != 0 {
		t.Errorf("%d lost, %d doubled of 2 configurations never seen; want 6 and 0", lost, doubled)
	}
}

func TestGoals(t *testing.T) {
	var g goals
	g.under("put, p50", 1.5, 5, "ms", "idle")
	g.under("list, p50", 7, 5, "ms", "idle")
	g.state("night", 44, "s", "10 runs")
	for _, want := range []string{"below 5 ms: met", "below 5 ms: MISSED", "stated", "1.5 ms", "10 runs"} {
		if !strings.Contains(g.table(), want) {
			t.Errorf("no %q in\n%s", want, g.table())
		}
	}
	ratios := g.ratios()
	if len(ratios) != 2 || ratios[0].Name != "put-p50" || ratios[0].Value != 0.3 {
		t.Errorf("ratios %+v, want two, the first put-p50 of 0.3", ratios)
	}
}

func TestCrowd(t *testing.T) {
	b := serviceSize{configurations: crowdOf + 1}
	if got := b.buckets(); got != 2 {
		t.Errorf("%d configurations in %d buckets, want 2", b.configurations, got)
	}
	if bucket, id := crowd(crowdOf); bucket != "crowd-001" || id != "inventory-0000" {
		t.Errorf("%s of %s, want inventory-0000 of crowd-001", id, bucket)
	}
}

func TestThreadTime(t *testing.T) {
	before, err := threadTime(os.Getpid())
	if err != nil {
		t.Skip(err) // a kernel without the statistics of its scheduler
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		_ = strings.Repeat("x", 1<<20)
		if after, err := threadTime(os.Getpid()); err != nil || after > before {
			return
		}
	}
	t.Errorf("no time has been used since %v", before)
}

func TestResidentPages(t *testing.T) {
	if n, err := residentPages([]byte("5000 1234 100 1 0 300 0\n")); n != 1234 || err != nil {
		t.Errorf("%d, %v, want 1234", n, err)
	}
	if _, err := residentPages([]byte("5000")); err == nil {
		t.Error("one field: no error")
	}
}
