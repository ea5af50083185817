package catalogtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

func countsUnfinished(t *testing.T, c Catalog) {
	counts, err := c.CountUnfinished(t.Context())
	must(t, err)
	same(t, "without runs", len(counts), 0)

	put(t, c, "photos", "daily")
	put(t, c, "photos", "weekly")
	first, second := Queued("photos", "daily", "1"), Queued("photos", "weekly", "2")
	add(t, c, first)
	add(t, c, second)
	started := first
	started.State, started.Started = stocktake.Scanning, Start
	must(t, c.StartRun(t.Context(), started, At(stocktake.Queued, first)))
	_, err = c.MarkLate(t.Context(), Start, 1, func(stocktake.Run) []inventory.Notice { return nil })
	must(t, err)
	counts, err = c.CountUnfinished(t.Context())
	must(t, err)
	var runs, late int64
	for _, state := range []stocktake.RunState{stocktake.Queued, stocktake.Scanning} {
		n := counts[inventory.UnfinishedKey{State: state, Kind: stocktake.FullRun}]
		same(t, "runs in state "+string(state), n.Runs, int64(1))
		runs += n.Runs
		late += n.Late
	}
	same(t, "runs and late ones", [2]int64{runs, late}, [2]int64{2, 1})

	end(t, c, started, stocktake.Failed)
	end(t, c, second, stocktake.Cancelled)
	counts, err = c.CountUnfinished(t.Context())
	must(t, err)
	same(t, "after the end", len(counts), 0)
}

func figures(t *testing.T, c Catalog) {
	for _, id := range []string{"a-good", "b-bad", "c-new", "d-recovered"} {
		put(t, c, "photos", id)
	}
	e := Entry("archive", "off")
	e.Due, e.Wake = time.Time{}, time.Time{}
	must(t, c.AddConfiguration(t.Context(), e, nil, Holder, Limit))
	n := 0
	run := func(id string, state stocktake.RunState, kind stocktake.RunKind) stocktake.Run {
		n++
		r := Queued("photos", id, fmt.Sprint(n))
		r.Kind = kind
		add(t, c, r)
		r.Started = Start.Add(time.Duration(n) * time.Second)
		r.Progress = stocktake.Progress{Listed: 2 * int64(n), Matched: int64(n), Bytes: 10 * int64(n)}
		return end(t, c, r, state)
	}
	run("a-good", stocktake.Failed, stocktake.FullRun)
	good := run("a-good", stocktake.Succeeded, stocktake.FullRun)
	run("a-good", stocktake.Cancelled, stocktake.FullRun)
	run("a-good", stocktake.Failed, stocktake.IncrementalRun)
	window := run("a-good", stocktake.Succeeded, stocktake.IncrementalRun)
	before := run("b-bad", stocktake.Succeeded, stocktake.FullRun)
	run("b-bad", stocktake.Failed, stocktake.FullRun)
	run("d-recovered", stocktake.Failed, stocktake.FullRun)
	after := run("d-recovered", stocktake.Succeeded, stocktake.FullRun)

	f, err := c.Figures(t.Context(), 0)
	must(t, err)
	same(t, "counts", f, inventory.Figures{Configurations: 5, Scheduled: 4, Failing: 1})

	of := func(r stocktake.Run) *stocktake.Run {
		return &stocktake.Run{Started: r.Started, Ended: r.Ended, Progress: stocktake.Progress{Matched: r.Matched, Bytes: r.Bytes}}
	}
	due := Entry("photos", "a-good").Due
	daily := Configuration("a-good").Schedule.Frequency
	all := []inventory.Figure{
		{Bucket: "photos", Configuration: "b-bad", Created: Start, Due: due, Frequency: daily, Failing: true, Full: of(before)},
		{Bucket: "archive", Configuration: "off", Created: Start, Frequency: daily},
		{Bucket: "photos", Configuration: "a-good", Created: Start, Due: due, Frequency: daily, Full: of(good), Incremental: window.Ended},
		{Bucket: "photos", Configuration: "c-new", Created: Start, Due: due, Frequency: daily},
		{Bucket: "photos", Configuration: "d-recovered", Created: Start, Due: due, Frequency: daily, Full: of(after)},
	}
	for _, most := range []int{1, 2, 5, 100} {
		f, err := c.Figures(t.Context(), most)
		must(t, err)
		same(t, fmt.Sprintf("at most %d", most), f.Shown, all[:min(most, len(all))])
	}
}

// figuresOfWindows checks that windows of suspended configurations are not counted.
func figuresOfWindows(t *testing.T, c Catalog) {
	put(t, c, "photos", "full")
	starts := func() (all []time.Time) {
		f, err := c.Figures(t.Context(), 10)
		must(t, err)
		all = append(all, f.Window)
		for _, s := range f.Shown {
			all = append(all, s.Window)
		}
		return all
	}
	same(t, "windows of none", starts(), []time.Time{{}, {}})
	early := putWindows(t, c, "photos", "a").Start
	e, w := Entry("photos", "b"), Windows("photos", "b")
	w.Start = early.Add(10 * time.Minute)
	e.Windows = &w
	must(t, c.AddConfiguration(t.Context(), e, nil, Holder, Limit))
	same(t, "windows", starts(), []time.Time{early, early, w.Start, {}})
	e = Entry("photos", "a")
	e.Suspended = true
	must(t, c.SetDue(t.Context(), e))
	same(t, "windows while one is suspended", starts(), []time.Time{w.Start, {}, w.Start, {}})
}
