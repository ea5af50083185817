package catalogtest

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/inventoryxml"
)

// replacement returns the replacement of a configuration by one with another
// prefix.
func replacement(t *testing.T, c Catalog, bucket, id, prefix string) inventory.Replacement {
	t.Helper()
	old, err := c.Configuration(t.Context(), bucket, id)
	must(t, err)
	e := old
	e.Configuration = Configuration(id)
	e.Configuration.Filter.Prefix = prefix
	e.Due = Start.Add(5 * time.Hour)
	e.Wake = e.Due
	return inventory.Replacement{Old: old, New: e}
}

func replaces(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	put(t, c, "photos", "b")
	must(t, c.SetRetention(t.Context(), "photos", "a", stocktake.Retention{Reports: 3}))
	first := Queued("photos", "a", "r1")
	_, _, err := c.AddRun(t.Context(), first, Holder)
	must(t, err)
	wantMadeBy := func(run, prefix string) {
		t.Helper()
		cfg, err := c.RunConfiguration(t.Context(), run)
		must(t, err)
		same(t, "prefix of the run "+run, cfg.Filter.Prefix, prefix)
	}
	beginning := Configuration("a").Filter.Prefix
	wantMadeBy("r1", beginning)

	r := replacement(t, c, "photos", "a", "second")
	before, err := c.ReplaceConfiguration(t.Context(), r, Holder)
	must(t, err)
	same(t, "replaced", string(before), string(inventoryxml.Append(nil, &r.Old.Configuration)))
	e, err := c.Configuration(t.Context(), "photos", "a")
	must(t, err)
	r.New.Retention = stocktake.Retention{Reports: 3}
	same(t, "new", e, r.New)
	wantMadeBy("r1", beginning)

	// Twice during a run.
	_, err = c.ReplaceConfiguration(t.Context(), replacement(t, c, "photos", "a", "third"), Holder)
	must(t, err)
	wantMadeBy("r1", beginning)
	_, err = c.ReplaceConfiguration(t.Context(), r, Holder)
	want(t, "from a configuration that is gone", err, inventory.ErrEntryChanged)

	// A second run is not added while the first has not ended, and nothing else
	// changes.
	second := Queued("photos", "a", "r2")
	withRun := replacement(t, c, "photos", "a", "fourth")
	withRun.First = &second
	_, err = c.ReplaceConfiguration(t.Context(), withRun, Holder)
	want(t, "with a run while another one is unfinished", err, inventory.ErrRunUnfinished)
	e, err = c.Configuration(t.Context(), "photos", "a")
	must(t, err)
	same(t, "after a refusal", e.Configuration.Filter.Prefix, "third")

	started := first
	started.State, started.Started = stocktake.Scanning, Start
	must(t, c.StartRun(t.Context(), started, At(stocktake.Queued, first)))
	ended := started
	ended.State, ended.Ended = stocktake.Succeeded, Start.Add(time.Minute)
	must(t, c.EndRun(t.Context(), ended, At(stocktake.Scanning, started), inventory.End{Keep: 9, Remove: true}))
	_, err = c.ReplaceConfiguration(t.Context(), withRun, Holder)
	must(t, err) // the run still exists
	wantMadeBy("r2", "fourth")
	runs, err := c.Runs(t.Context(), "photos", "a")
	must(t, err)
	if len(runs) != 2 || runs[0].ID != "r2" || runs[0].State != stocktake.Queued {
		t.Errorf("history %+v", runs)
	}

	_, err = c.ReplaceConfiguration(t.Context(), inventory.Replacement{Old: Entry("photos", "x"), New: Entry("photos", "x")}, Holder)
	want(t, "unknown id", err, stocktake.ErrNoSuchInventory)
	must(t, c.RemoveConfiguration(t.Context(), "photos", "a"))
	_, err = c.RunConfiguration(t.Context(), "r2")
	want(t, "run of a removed configuration", err, stocktake.ErrNoSuchInventory)
	e, err = c.Configuration(t.Context(), "photos", "b")
	must(t, err)
	same(t, "the other one", e.Configuration.Filter.Prefix, beginning)
}

func replacesWindows(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	w := inventory.Windows{Bucket: "photos", ID: "a", Start: Start.Truncate(time.Second), Wake: Start.Truncate(time.Second).Add(time.Minute)}
	with := replacement(t, c, "photos", "a", "x")
	with.New.Windows = &w
	_, err := c.ReplaceConfiguration(t.Context(), with, Holder)
	must(t, err)
	got, err := c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "begun", got, w)
	_, err = c.ReplaceConfiguration(t.Context(), replacement(t, c, "photos", "a", "y"), Holder)
	must(t, err)
	got, err = c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "kept", got, w)
	without := replacement(t, c, "photos", "a", "z")
	without.EndsWindows = true
	_, err = c.ReplaceConfiguration(t.Context(), without, Holder)
	must(t, err)
	_, err = c.Windows(t.Context(), "photos", "a")
	want(t, "ended", err, stocktake.ErrNoSuchInventory)
}
