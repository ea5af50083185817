package catalogtest

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// Windows returns the windows of a configuration. The first window starts ten minutes before
// Start, and its run is due when it ends.
func Windows(bucket, id string) inventory.Windows {
	start := Start.Truncate(10 * time.Minute)
	at := stocktake.JournalPosition{Sequence: 1<<62 + 7, Time: Start.UnixMilli()}
	return inventory.Windows{Bucket: bucket, ID: id, Start: start, Wake: start.Add(10 * time.Minute), After: at, Joined: at, Subscribed: at}
}

func putWindows(t *testing.T, c Catalog, bucket, id string) inventory.Windows {
	t.Helper()
	e, w := Entry(bucket, id), Windows(bucket, id)
	e.Windows = &w
	must(t, c.AddConfiguration(t.Context(), e, nil, Holder, Limit))
	return w
}

// windowRun returns the run of the next window of w.
func windowRun(w inventory.Windows, id string) stocktake.Run {
	r := Queued(w.Bucket, w.ID, id)
	r.Kind, r.Trigger, r.Due = stocktake.IncrementalRun, stocktake.TriggerScheduled, w.Wake
	r.Window = stocktake.RunWindow{Start: w.Start, End: w.Start.Add(10 * time.Minute)}
	return r
}

func dueWindows(t *testing.T, c Catalog, now time.Time) (ids []string) {
	t.Helper()
	all, err := c.DueWindows(t.Context(), now, 10)
	must(t, err)
	for _, w := range all {
		ids = append(ids, w.Bucket+"/"+w.ID)
	}
	return ids
}

func nextWindow(t *testing.T, c Catalog) time.Time {
	t.Helper()
	next, err := c.NextWindow(t.Context())
	must(t, err)
	return next
}

// windowsMove tests a configuration with a window that fails and one that succeeds.
func windowsMove(t *testing.T, c Catalog) {
	w := putWindows(t, c, "photos", "a")
	got, err := c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "as put", got, w)
	same(t, "next", nextWindow(t, c), w.Wake)
	same(t, "due early", dueWindows(t, c, w.Wake.Add(-time.Microsecond)), []string(nil))
	same(t, "due", dueWindows(t, c, w.Wake), []string{"photos/a"})

	other := windowRun(w, "other")
	other.Window.Start = w.Start.Add(time.Second)
	added, err := c.AddWindowRun(t.Context(), other, Holder)
	must(t, err)
	same(t, "added another window", added, false)
	first := windowRun(w, "w1")
	for i, wanted := range []bool{true, false} { // its run is unfinished the second time
		first.ID = []string{"w1", "w2"}[i]
		added, err := c.AddWindowRun(t.Context(), first, Holder)
		must(t, err)
		same(t, "added", added, wanted)
	}
	first.ID = "w1"
	run, err := c.Run(t.Context(), "w1")
	must(t, err)
	same(t, "run", run, first)
	same(t, "due while it runs", dueWindows(t, c, w.Wake), []string(nil))
	same(t, "next while it runs", nextWindow(t, c), time.Time{})
	w.Wake = w.Wake.Add(time.Minute)
	must(t, c.WakeWindows(t.Context(), w))
	same(t, "woken while it runs", nextWindow(t, c), time.Time{})

	w.Recorded = []byte("recorded \x00")
	first.State, first.Ended = stocktake.Failed, Start
	must(t, c.EndRun(t.Context(), first, At(stocktake.Queued, first), inventory.End{Keep: keep, Windows: &w}))
	got, err = c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "after a failure", got, w)
	moved := w
	moved.Wake = w.Wake.Add(time.Hour)
	must(t, c.WakeWindows(t.Context(), moved))
	same(t, "moved", nextWindow(t, c), moved.Wake)
	moved.Start = moved.Start.Add(time.Second)
	must(t, c.WakeWindows(t.Context(), moved))
	got, err = c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "another window is not moved", got.Start, w.Start)

	second := windowRun(w, "w2")
	added, err = c.AddWindowRun(t.Context(), second, Holder)
	must(t, err)
	same(t, "added after the failure", added, true)
	w.Start, w.Wake, w.Recorded = second.Window.End, second.Window.End.Add(10*time.Minute), nil
	w.After.Sequence, w.Joined.Sequence = w.After.Sequence+9, w.Joined.Sequence+9
	second.State, second.Ended = stocktake.Succeeded, Start
	// A fence that does not match changes nothing.
	want(t, "another attempt", c.EndRun(t.Context(), second, inventory.Fence{State: stocktake.Queued, Owner: Holder.Owner, Attempt: 2}, inventory.End{Keep: keep, Windows: &w}), stocktake.ErrNoSuchRun)
	must(t, c.EndRun(t.Context(), second, At(stocktake.Queued, second), inventory.End{Keep: keep, Windows: &w}))
	got, err = c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "after the window", got, w)
}

// windowsSuspended checks that windows of a suspended configuration wait.
func windowsSuspended(t *testing.T, c Catalog) {
	a, b := putWindows(t, c, "photos", "a"), putWindows(t, c, "photos", "b")
	b.Wake = b.Wake.Add(time.Minute)
	must(t, c.WakeWindows(t.Context(), b))
	same(t, "due", dueWindows(t, c, b.Wake), []string{"photos/a", "photos/b"})
	e := Entry("photos", "a")
	e.Suspended = true
	must(t, c.SetDue(t.Context(), e))
	same(t, "due while suspended", dueWindows(t, c, b.Wake), []string{"photos/b"})
	same(t, "next while suspended", nextWindow(t, c), b.Wake)
	e.Suspended = false
	must(t, c.SetDue(t.Context(), e))
	same(t, "next when resumed", nextWindow(t, c), a.Wake)
}

// windowsRemoved checks that windows are removed with their configuration.
func windowsRemoved(t *testing.T, c Catalog) {
	put(t, c, "photos", "full")
	_, err := c.Windows(t.Context(), "photos", "full")
	want(t, "of a configuration without", err, stocktake.ErrNoSuchInventory)
	for _, test := range []struct {
		name   string
		remove func() error
	}{
		{"configuration", func() error { return c.RemoveConfiguration(t.Context(), "photos", "a") }},
		{"bucket", func() error { return c.RemoveBucket(t.Context(), "photos") }},
		{"run that removes it", func() error {
			r := Queued("photos", "a", "auto")
			add(t, c, r)
			r.State, r.Ended = stocktake.Succeeded, Start
			return c.EndRun(t.Context(), r, At(stocktake.Queued, r), inventory.End{Keep: keep, Remove: true})
		}},
	} {
		w := putWindows(t, c, "photos", "a")
		must(t, test.remove())
		_, err := c.Windows(t.Context(), "photos", "a")
		want(t, "after removal of the "+test.name, err, stocktake.ErrNoSuchInventory)
		same(t, "next", nextWindow(t, c), time.Time{})
		added, err := c.AddWindowRun(t.Context(), windowRun(w, "late "+test.name), Holder)
		must(t, err)
		same(t, "added", added, false)
	}
	// If it is put again, it begins again.
	w := putWindows(t, c, "photos", "a")
	got, err := c.Windows(t.Context(), "photos", "a")
	must(t, err)
	same(t, "put again", got, w)
}
