package catalogtest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

const keep = 3

func contextEnded(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func add(t *testing.T, c Catalog, r stocktake.Run) {
	t.Helper()
	got, added, err := c.AddRun(t.Context(), r, Holder)
	must(t, err)
	same(t, "added", added, true)
	same(t, "run", got, r)
}

func end(t *testing.T, c Catalog, r stocktake.Run, state stocktake.RunState) stocktake.Run {
	t.Helper()
	from := r.State
	r.State, r.Ended = state, Start.Add(time.Minute)
	must(t, c.EndRun(t.Context(), r, At(from, r), inventory.End{Keep: keep}))
	return r
}

func history(t *testing.T, c Catalog, bucket, id string) (ids []string) {
	t.Helper()
	runs, err := c.Runs(t.Context(), bucket, id)
	must(t, err)
	for _, r := range runs {
		ids = append(ids, r.ID+" "+string(r.State))
	}
	return ids
}

func last(t *testing.T, c Catalog, bucket, id string) string {
	t.Helper()
	e, err := c.EntryStatus(t.Context(), bucket, id)
	must(t, err)
	if e.Last == nil {
		return ""
	}
	return e.Last.ID + " " + string(e.Last.State)
}

func removal(t *testing.T, c Catalog) {
	put(t, c, "photos", "daily")
	put(t, c, "photos", "weekly")
	add(t, c, Queued("photos", "daily", "r1"))
	add(t, c, Queued("photos", "weekly", "r2"))
	must(t, c.RemoveConfiguration(t.Context(), "photos", "daily"))
	_, err := c.Run(t.Context(), "r1")
	want(t, "run of a removed configuration", err, stocktake.ErrNoSuchRun)
	r := Queued("photos", "daily", "r1")
	r.State = stocktake.Scanning
	want(t, "update", c.StartRun(t.Context(), r, At(stocktake.Queued, r)), stocktake.ErrNoSuchRun)
	want(t, "end", c.EndRun(t.Context(), r, At(stocktake.Queued, r), inventory.End{Keep: keep}), stocktake.ErrNoSuchRun)
	_, _, err = c.AddRun(t.Context(), Queued("photos", "daily", "r3"), Holder)
	want(t, "run of a removed configuration", err, stocktake.ErrNoSuchInventory)
	_, err = c.Run(t.Context(), "r2")
	must(t, err)
	must(t, c.RemoveBucket(t.Context(), "photos"))
	_, err = c.Run(t.Context(), "r2")
	want(t, "run of a removed bucket", err, stocktake.ErrNoSuchRun)
}

func freshHistory(t *testing.T, c Catalog) {
	put(t, c, "photos", "once")
	r := Queued("photos", "once", "r1")
	add(t, c, r)
	r.State, r.Ended = stocktake.Succeeded, Start
	must(t, c.EndRun(t.Context(), r, At(stocktake.Queued, r), inventory.End{Keep: keep, Remove: true}))
	same(t, "history of one that is gone", history(t, c, "photos", "once"), []string{"r1 succeeded"})
	put(t, c, "photos", "once")
	same(t, "history of a new one", len(history(t, c, "photos", "once")), 0)
	same(t, "last of a new one", last(t, c, "photos", "once"), "")
}

func step(id, run string, from time.Time) inventory.Step {
	r := Queued("photos", id, run)
	r.Trigger, r.Due = stocktake.TriggerScheduled, from
	next := from.Add(24 * time.Hour)
	return inventory.Step{Bucket: "photos", ID: id, From: from, Due: next, Wake: next.Add(time.Second), Run: r}
}

func stepOnce(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	put(t, c, "photos", "b")
	at := Start.Add(time.Hour)
	steps := []inventory.Step{step("a", "r1", at), step("b", "r2", at), step("gone", "r3", at)}
	made, err := c.Advance(t.Context(), steps, Holder, keep)
	must(t, err)
	same(t, "made", made, []stocktake.Run{steps[0].Run, steps[1].Run})
	steps[0].Run.ID, steps[1].Run.ID = "r4", "r5"
	made, err = c.Advance(t.Context(), steps, Holder, keep)
	must(t, err)
	same(t, "made again", len(made), 0)
	e, err := c.Configuration(t.Context(), "photos", "a")
	must(t, err)
	same(t, "due", e.Due, steps[0].Due)
	same(t, "wake", e.Wake, steps[0].Wake)
	same(t, "last", last(t, c, "photos", "a"), "r1 queued")
}

func skips(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	add(t, c, Queued("photos", "a", "r0"))
	at := Start.Add(time.Hour)
	made, err := c.Advance(t.Context(), []inventory.Step{step("a", "r1", at)}, Holder, keep)
	must(t, err)
	if len(made) != 1 || made[0].State != stocktake.Skipped || made[0].Reason == "" || made[0].Ended.IsZero() {
		t.Fatalf("made %+v, want one that is skipped, with a reason", made)
	}
	same(t, "history", history(t, c, "photos", "a"), []string{"r1 skipped", "r0 queued"})
	same(t, "last", last(t, c, "photos", "a"), "r0 queued")
}

func oneUnfinished(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	got, err := c.UnfinishedRuns(t.Context(), "photos", "a")
	must(t, err)
	same(t, "unfinished of none", len(got), 0)
	first := Queued("photos", "a", "r1")
	add(t, c, first)
	run, added, err := c.AddRun(t.Context(), Queued("photos", "a", "r2"), Holder)
	must(t, err)
	same(t, "added a second", added, false)
	same(t, "unfinished", run, first)
	window := Queued("photos", "a", "w1")
	window.Kind = stocktake.IncrementalRun
	add(t, c, window)
	got, err = c.UnfinishedRuns(t.Context(), "photos", "a")
	must(t, err)
	same(t, "unfinished", got, []stocktake.Run{window, first})
	end(t, c, first, stocktake.Failed)
	add(t, c, Queued("photos", "a", "r2"))
	_, added, err = c.AddRun(t.Context(), window, Holder)
	must(t, err)
	same(t, "added a second window", added, false)
}

// kindsApart checks that runs of different kinds do not affect each other.
func kindsApart(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	full := Queued("photos", "a", "r1")
	full.Listed = 100
	add(t, c, full)
	end(t, c, full, stocktake.Succeeded)
	for i := range keep + 2 {
		window := Queued("photos", "a", fmt.Sprint("w", i))
		window.Kind, window.Listed = stocktake.IncrementalRun, int64(i)
		add(t, c, window)
		end(t, c, window, stocktake.Failed)
	}
	same(t, "history", history(t, c, "photos", "a"), []string{"w4 failed", "w3 failed", "w2 failed", "r1 succeeded"})
	same(t, "last", last(t, c, "photos", "a"), "r1 succeeded")
	for _, kind := range []stocktake.RunKind{stocktake.FullRun, stocktake.IncrementalRun} {
		next := Queued("photos", "a", "next "+string(kind))
		next.Kind = kind
		add(t, c, next)
		_, failure, err := c.RecoversFrom(t.Context(), next.ID)
		must(t, err)
		same(t, "recovers from a failure, "+string(kind), failure, kind == stocktake.IncrementalRun)
	}
	n, err := c.LastListed(t.Context(), "photos", "a", stocktake.IncrementalRun)
	must(t, err)
	same(t, "listed by windows", n, int64(-1))
}

func compareAndSet(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	r := Queued("photos", "a", "r1")
	add(t, c, r)
	r.State = stocktake.Scanning
	for name, fence := range map[string]inventory.Fence{
		"state":   {State: stocktake.Publishing, Owner: Holder.Owner, Attempt: 1},
		"owner":   {State: stocktake.Queued, Owner: "second", Attempt: 1},
		"attempt": {State: stocktake.Queued, Owner: Holder.Owner, Attempt: 2},
	} {
		want(t, "retry at another "+name, c.RetryRun(t.Context(), r, fence, Holder), stocktake.ErrNoSuchRun)
		want(t, "start at another "+name, c.StartRun(t.Context(), r, fence), stocktake.ErrNoSuchRun)
		_, err := c.PublishRun(t.Context(), r, fence, []byte("m"), true)
		want(t, "publish at another "+name, err, stocktake.ErrNoSuchRun)
		want(t, "end at another "+name, c.EndRun(t.Context(), r, fence, inventory.End{Keep: keep}), stocktake.ErrNoSuchRun)
	}
	recorded, err := c.RecordedReport(t.Context(), "r1")
	must(t, err)
	same(t, "recorded", len(recorded), 0)
	must(t, c.StartRun(t.Context(), r, At(stocktake.Queued, r)))
	want(t, "second time", c.StartRun(t.Context(), r, At(stocktake.Queued, r)), stocktake.ErrNoSuchRun)
	r.State = stocktake.Publishing
	_, err = c.PublishRun(t.Context(), r, At(stocktake.Scanning, r), []byte("report"), false)
	must(t, err)
	got, err := c.Run(t.Context(), "r1")
	must(t, err)
	same(t, "published", got, r)
	// It fails, and its next attempt publishes what this one has recorded.
	r.State, r.Attempt, r.Reason = stocktake.Queued, 2, "attempt 1 failed"
	must(t, c.RetryRun(t.Context(), r, inventory.Fence{State: stocktake.Publishing, Owner: Holder.Owner, Attempt: 1}, Holder))
	got, err = c.Run(t.Context(), "r1")
	must(t, err)
	same(t, "queued again", got, r)
	recorded, err = c.RecordedReport(t.Context(), "r1")
	must(t, err)
	same(t, "recorded by the attempt before", string(recorded), "report")
	r.State = stocktake.Publishing
	_, err = c.PublishRun(t.Context(), r, At(stocktake.Queued, r), []byte("report"), false)
	must(t, err)
	r = end(t, c, r, stocktake.Cancelled)
	want(t, "end twice", c.EndRun(t.Context(), r, At(stocktake.Scanning, r), inventory.End{Keep: keep}), stocktake.ErrNoSuchRun)
}

func runReadsBack(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	r := Queued("photos", "a", "r1")
	add(t, c, r)
	r.State, r.Attempt, r.Started, r.Late = stocktake.Publishing, 7, Start.Add(time.Second), true
	r.Window = stocktake.RunWindow{Start: Start.Truncate(time.Second), End: Start.Truncate(time.Second).Add(time.Hour)}
	r.Progress = stocktake.Progress{Listed: 1 << 40, Matched: 2, Bytes: 1 << 62, Written: 4, Shards: 5, Expected: 6, Key: "a\x00%+ 猫\xff"}
	must(t, c.StartRun(t.Context(), r, At(stocktake.Queued, Queued("photos", "a", "r1"))))
	got, err := c.Run(t.Context(), "r1")
	must(t, err)
	same(t, "run", got, r)
	r.Reason, r.Manifest = "so it 'was'", "inv/photos/a/manifest.json"
	r = end(t, c, r, stocktake.Succeeded)
	runs, err := c.Runs(t.Context(), "photos", "a")
	must(t, err)
	same(t, "runs", runs, []stocktake.Run{r})
}

func statuses(t *testing.T, c Catalog) {
	for _, id := range []string{"b", "B", "a"} {
		put(t, c, "photos", id)
	}
	put(t, c, "logs", "a")
	old := Queued("photos", "B", "r1")
	add(t, c, old)
	succeeded := end(t, c, old, stocktake.Succeeded)
	failed := Queued("photos", "B", "r3")
	add(t, c, failed)
	end(t, c, failed, stocktake.Failed)
	newest := Queued("photos", "B", "r2")
	add(t, c, newest)

	wanted := []inventory.EntryStatus{{Entry: Entry("photos", "B"), Succeeded: succeeded.Ended, Last: &newest}, {Entry: Entry("photos", "a")}, {Entry: Entry("photos", "b")}}
	got, err := c.EntryStatuses(t.Context(), "photos")
	must(t, err)
	same(t, "of the bucket", got, wanted)
	for _, w := range wanted {
		got, err := c.EntryStatus(t.Context(), "photos", w.Configuration.ID)
		must(t, err)
		same(t, w.Configuration.ID, got, w)
	}
	_, err = c.EntryStatus(t.Context(), "photos", "c")
	want(t, "unknown id", err, stocktake.ErrNoSuchInventory)
	got, err = c.EntryStatuses(t.Context(), "photo")
	must(t, err)
	same(t, "of a bucket without", len(got), 0)
}

func progress(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	r := Queued("photos", "a", "r1")
	add(t, c, r)
	p := stocktake.Progress{Listed: 10, Matched: 9, Bytes: 8, Written: 7, Shards: 6, Expected: 5, Key: "k"}
	held, err := c.RenewRuns(t.Context(), Holder, map[string]stocktake.Progress{"r1": p, "unknown": p})
	must(t, err)
	r.Progress = p
	same(t, "held", held, []inventory.HeldRun{{Run: r}})
	got, err := c.Run(t.Context(), "r1")
	must(t, err)
	same(t, "progress", got.Progress, p)
	ended := end(t, c, r, stocktake.Failed)
	held, err = c.RenewRuns(t.Context(), Holder, map[string]stocktake.Progress{"r1": {}})
	must(t, err)
	same(t, "held after the end", len(held), 0)
	got, err = c.Run(t.Context(), "r1")
	must(t, err)
	same(t, "run that has ended", got, ended)
}

func keeps(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	put(t, c, "photos", "b")
	add(t, c, Queued("photos", "b", "other"))
	for i := range 5 {
		r := Queued("photos", "a", fmt.Sprint("r", i))
		add(t, c, r)
		end(t, c, r, stocktake.Succeeded)
	}
	same(t, "history", history(t, c, "photos", "a"), []string{"r4 succeeded", "r3 succeeded", "r2 succeeded"})
	add(t, c, Queued("photos", "a", "r5"))
	from := Start.Add(time.Hour)
	for i := range 4 {
		made, err := c.Advance(t.Context(), []inventory.Step{step("a", fmt.Sprint("s", i), from)}, Holder, keep)
		must(t, err)
		same(t, "made", len(made), 1)
		from = from.Add(24 * time.Hour)
	}
	same(t, "history", history(t, c, "photos", "a"), []string{"s3 skipped", "s2 skipped", "s1 skipped", "r5 queued"})
	same(t, "history of another", history(t, c, "photos", "b"), []string{"other queued"})
	all, err := c.Runs(t.Context(), "photos", "a")
	must(t, err)
	for _, max := range []int{0, 1, 3, 100} {
		newest, err := c.NewestRuns(t.Context(), "photos", "a", max)
		must(t, err)
		if !slices.Equal(newest, all[:min(max, len(all))]) {
			t.Errorf("the newest %d are %v", max, newest)
		}
	}
}

func clean(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	for i, how := range []struct {
		state   stocktake.RunState
		attempt int
		clean   bool
	}{
		{stocktake.Succeeded, 1, true},
		{stocktake.Succeeded, 2, false},
		{stocktake.Succeeded, 1, true},
		{stocktake.Failed, 1, false},
		{stocktake.Cancelled, 1, false},
		{stocktake.Queued, 1, false},
	} {
		r := Queued("photos", "a", fmt.Sprint("r", i))
		r.Attempt = how.attempt
		add(t, c, r)
		if how.state != stocktake.Queued {
			end(t, c, r, how.state)
		}
		for max, want := range []bool{true, how.clean} {
			got, err := c.CleanRuns(t.Context(), "photos", "a", max)
			must(t, err)
			if got != want {
				t.Errorf("%s at attempt %d, the newest %d: clean %v", how.state, how.attempt, max, got)
			}
		}
		if got, err := c.CleanRuns(t.Context(), "photos", "a", 3); err != nil || got != (i == 0) {
			t.Errorf("the newest of %d runs: clean %v, %v", i+1, got, err)
		}
	}
	if got, err := c.CleanRuns(t.Context(), "photos", "another", 3); err != nil || !got {
		t.Errorf("without runs: clean %v, %v", got, err)
	}
}

func autoDelete(t *testing.T, c Catalog) {
	put(t, c, "photos", "once")
	put(t, c, "photos", "daily")
	for _, id := range []string{"once", "daily"} {
		r := Queued("photos", id, id)
		add(t, c, r)
		r.State, r.Ended = stocktake.Succeeded, Start.Add(time.Minute)
		must(t, c.EndRun(t.Context(), r, At(stocktake.Queued, r), inventory.End{Keep: keep, Remove: id == "once"}))
	}
	_, err := c.Configuration(t.Context(), "photos", "once")
	want(t, "configuration", err, stocktake.ErrNoSuchInventory)
	n, err := c.CountConfigurations(t.Context())
	must(t, err)
	same(t, "count", n, int64(1))
	same(t, "history", history(t, c, "photos", "once"), []string{"once succeeded"})
	must(t, c.ForgetRuns(t.Context(), Start.Add(time.Minute)))
	same(t, "history", len(history(t, c, "photos", "once")), 1)
	must(t, c.ForgetRuns(t.Context(), Start.Add(time.Hour)))
	same(t, "history", len(history(t, c, "photos", "once")), 0)
	same(t, "history", len(history(t, c, "photos", "daily")), 1)
}

func lastListed(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	for i, state := range []stocktake.RunState{stocktake.Failed, stocktake.Succeeded, stocktake.Succeeded, stocktake.Cancelled} {
		r := Queued("photos", "a", fmt.Sprint("r", i))
		add(t, c, r)
		r.Listed = int64(i * 100)
		end(t, c, r, state)
		n, err := c.LastListed(t.Context(), "photos", "a", stocktake.FullRun)
		must(t, err)
		same(t, "listed", n, []int64{-1, 100, 200, 200}[i])
	}
}
