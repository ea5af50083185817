package catalogtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

func recovers(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	put(t, c, "photos", "b")
	other := Queued("photos", "b", "other")
	add(t, c, other)
	end(t, c, other, stocktake.Failed)
	_, _, err := c.RecoversFrom(t.Context(), "none")
	want(t, "unknown run", err, stocktake.ErrNoSuchRun)
	failure := false // that the run recovers from
	for i, state := range []stocktake.RunState{stocktake.Succeeded, stocktake.Failed, stocktake.Cancelled, stocktake.Failed, stocktake.Succeeded, stocktake.Cancelled} {
		r := Queued("photos", "a", fmt.Sprint("r", i))
		r.Late = i%2 == 0
		add(t, c, r)
		late, got, err := c.RecoversFrom(t.Context(), r.ID)
		must(t, err)
		same(t, "is marked as late", late, r.Late)
		same(t, fmt.Sprint("recovers from a failure, run ", i), got, failure)
		end(t, c, r, state)
		if state != stocktake.Cancelled {
			failure = state == stocktake.Failed
		}
	}
}

func noNotices(stocktake.Run) []inventory.Notice { return nil }

func late(t *testing.T, c Catalog) {
	next, err := c.NextLate(t.Context())
	must(t, err)
	same(t, "next of none", next, time.Time{})
	for i, id := range []string{"b", "a", "c", "ended"} {
		put(t, c, "photos", id)
		r := Queued("photos", id, id)
		r.Due = Start.Add([]time.Duration{2, 1, 3, 0}[i] * time.Hour)
		add(t, c, r)
		if id == "ended" {
			end(t, c, r, stocktake.Succeeded)
		}
	}
	next, err = c.NextLate(t.Context())
	must(t, err)
	same(t, "next", next, Start.Add(time.Hour))

	var asked []string
	got, err := c.MarkLate(t.Context(), Start.Add(2*time.Hour), 1, func(r stocktake.Run) []inventory.Notice {
		asked = append(asked, r.ID)
		return []inventory.Notice{{ID: "n-" + r.ID, Target: target, Made: Start, Payload: "{}", Due: Start}}
	})
	must(t, err)
	if len(got) != 1 || got[0].ID != "a" || !got[0].Late {
		t.Fatalf("late: %+v, want a", got)
	}
	same(t, "asked", asked, []string{"a"})
	notices, err := c.DueNotices(t.Context(), target, Start, 10)
	must(t, err)
	same(t, "notices", len(notices), 1)
	got, err = c.MarkLate(t.Context(), Start.Add(2*time.Hour), 10, noNotices)
	must(t, err)
	if len(got) != 1 || got[0].ID != "b" {
		t.Fatalf("late: %+v, want b", got)
	}
	got, err = c.MarkLate(t.Context(), Start.Add(2*time.Hour), 10, noNotices)
	must(t, err)
	same(t, "late again", len(got), 0)
	next, err = c.NextLate(t.Context())
	must(t, err)
	same(t, "next", next, Start.Add(3*time.Hour))
	r, err := c.Run(t.Context(), "b")
	must(t, err)
	same(t, "late", r.Late, true)
	r.Late = false // as an earlier reader saw it
	r.State = stocktake.Scanning
	must(t, c.StartRun(t.Context(), r, At(stocktake.Queued, r)))
	r, err = c.Run(t.Context(), "b")
	must(t, err)
	same(t, "late after an update", r.Late, true)
}

// target is the receiver of the suite's notices.
const target = "ops"

func note(id string, due time.Time) inventory.Notice {
	return inventory.Notice{ID: id, Target: target, Made: Start, Payload: `{"a":"猫"}`, Due: due}
}

// deliveredNotices reads notices page by page, the newest first.
func deliveredNotices(t *testing.T, c Catalog) {
	var all []inventory.Notice
	for i, id := range []string{"a", "b", "c", "d"} {
		n := note(id, Start)
		n.Made = Start.Add(time.Duration(i/2) * time.Hour) // two at once
		n.Bucket, n.Configuration, n.Run = "photos", "daily", "r"+id
		must(t, c.AddNotice(t.Context(), n))
		all = append(all, n)
	}
	ids := func(q inventory.NoticeQuery, max int) (ids string) {
		t.Helper()
		page, err := c.Notices(t.Context(), q, max)
		must(t, err)
		for _, n := range page {
			ids += n.ID
		}
		return ids
	}
	same(t, "all", ids(inventory.NoticeQuery{}, 9), "dcba")
	same(t, "first page", ids(inventory.NoticeQuery{}, 3), "dcb")
	same(t, "second page", ids(inventory.NoticeQuery{Before: all[1]}, 3), "a")
	same(t, "of another bucket", ids(inventory.NoticeQuery{Bucket: "logs"}, 9), "")
	same(t, "of another configuration", ids(inventory.NoticeQuery{Bucket: "photos", Configuration: "x"}, 9), "")
	same(t, "of the configuration", ids(inventory.NoticeQuery{Bucket: "photos", Configuration: "daily"}, 9), "dcba")

	for i := range 3 {
		n := &all[i]
		n.Attempts, n.Due, n.Answer, n.Delivered = 2, time.Time{}, 204, Start.Add(time.Duration(i+1)*time.Minute)
		must(t, c.DeliverNotice(t.Context(), *n, 2))
	}
	got, err := c.Notice(t.Context(), "c")
	must(t, err)
	same(t, "delivered", got, all[2])
	same(t, "state", got.State(), inventory.NoticeDelivered)
	same(t, "the newest delivered and what waits", ids(inventory.NoticeQuery{}, 9), "dcb")
	given := all[3]
	given.Attempts, given.Due, given.Error, given.Answer = 12, time.Time{}, "410", 410
	must(t, c.SetNotice(t.Context(), given))
	same(t, "delivered", ids(inventory.NoticeQuery{State: inventory.NoticeDelivered}, 9), "cb")
	same(t, "waiting", ids(inventory.NoticeQuery{State: inventory.NoticeWaiting}, 9), "")
	same(t, "dead", ids(inventory.NoticeQuery{State: inventory.NoticeDead}, 9), "d")
	dead, err := c.DeadNotices(t.Context(), "", 9)
	must(t, err)
	same(t, "dead notices", len(dead), 1)
	same(t, "dead notice", dead[0], given)
	targets, err := c.Targets(t.Context())
	must(t, err)
	same(t, "receivers that something waits for", len(targets), 0)

	// Deliver it again.
	got.Attempts, got.Due, got.Delivered = 0, Start, time.Time{}
	must(t, c.SetNotice(t.Context(), got))
	same(t, "waiting again", ids(inventory.NoticeQuery{State: inventory.NoticeWaiting}, 9), "c")
	want(t, "delivery of one that was dropped", c.DeliverNotice(t.Context(), note("x", Start), 2), inventory.ErrNoSuchNotice)

	must(t, c.ForgetNotices(t.Context(), Start.Add(2*time.Hour)))
	same(t, "after their time", ids(inventory.NoticeQuery{}, 9), "c")
}

// addNotices stores notices with a run that ends.
func addNotices(t *testing.T, c Catalog, notices ...inventory.Notice) {
	t.Helper()
	put(t, c, "giver", "giver")
	r := Queued("giver", "giver", "giver")
	add(t, c, r)
	r.State, r.Ended = stocktake.Failed, Start
	must(t, c.EndRun(t.Context(), r, At(stocktake.Queued, r), inventory.End{Keep: keep, Notices: notices}))
}

func notices(t *testing.T, c Catalog) {
	next, err := c.NextNotice(t.Context(), target)
	must(t, err)
	same(t, "next of none", next, time.Time{})
	first, second := note("b", Start.Add(time.Minute)), note("a", Start.Add(2*time.Minute))
	addNotices(t, c, second, first)
	next, err = c.NextNotice(t.Context(), target)
	must(t, err)
	same(t, "next", next, first.Due)
	got, err := c.DueNotices(t.Context(), target, Start.Add(time.Minute), 10)
	must(t, err)
	same(t, "due", got, []inventory.Notice{first})

	first.Attempts, first.Due, first.Error = 1, Start.Add(time.Hour), "refused"
	must(t, c.SetNotice(t.Context(), first))
	got, err = c.DueNotices(t.Context(), target, Start.Add(time.Hour), 10)
	must(t, err)
	same(t, "due", got, []inventory.Notice{second, first})
	got, err = c.DueNotices(t.Context(), target, Start.Add(time.Hour), 1)
	must(t, err)
	same(t, "due", got, []inventory.Notice{second})

	other := note("other", Start)
	other.Target = "dev"
	put(t, c, "photos", "other")
	add(t, c, Queued("photos", "other", "other"))
	_, err = c.MarkLate(t.Context(), Start, 1, func(stocktake.Run) []inventory.Notice { return []inventory.Notice{other} })
	must(t, err)
	targets, err := c.Targets(t.Context())
	must(t, err)
	same(t, "targets", targets, []string{"dev", target})
	one, err := c.Notice(t.Context(), "other")
	must(t, err)
	same(t, "notice", one, other)
	_, err = c.Notice(t.Context(), "unknown")
	want(t, "unknown notice", err, inventory.ErrNoSuchNotice)
	want(t, "unknown notice", c.SetNotice(t.Context(), note("unknown", Start)), inventory.ErrNoSuchNotice)

	must(t, c.RemoveNotice(t.Context(), "a"))
	must(t, c.RemoveNotice(t.Context(), "a"))
	got, err = c.DueNotices(t.Context(), target, Start.Add(time.Hour), 10)
	must(t, err)
	same(t, "due", got, []inventory.Notice{first})
}

func deadNotices(t *testing.T, c Catalog) {
	var all []inventory.Notice
	for i := range 5 {
		n := note(fmt.Sprint("n", i), Start)
		n.Made = Start.Add(time.Duration(i) * time.Hour)
		all = append(all, n)
	}
	addNotices(t, c, all...)
	for i := range 4 {
		all[i].Due, all[i].Error, all[i].Attempts = time.Time{}, "refused", 12
		must(t, c.SetNotice(t.Context(), all[i]))
	}
	next, err := c.NextNotice(t.Context(), target)
	must(t, err)
	same(t, "next", next, Start)
	page, err := c.DeadNotices(t.Context(), "", 3)
	must(t, err)
	same(t, "dead", page, all[:3])
	page, err = c.DeadNotices(t.Context(), "n2", 3)
	must(t, err)
	same(t, "dead", page, all[3:4])
	must(t, c.ForgetNotices(t.Context(), Start.Add(3*time.Hour)))
	page, err = c.DeadNotices(t.Context(), "", 10)
	must(t, err)
	same(t, "dead", page, all[3:4])
	due, err := c.DueNotices(t.Context(), target, Start, 10)
	must(t, err)
	same(t, "due", due, all[4:])
}

func noticesOfARun(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	r := Queued("photos", "a", "r1")
	add(t, c, r)
	r.State, r.Ended = stocktake.Failed, Start
	want(t, "end from another state", c.EndRun(t.Context(), r, At(stocktake.Scanning, r), inventory.End{Keep: keep, Notices: []inventory.Notice{note("n", Start)}}), stocktake.ErrNoSuchRun)
	twice := []inventory.Notice{note("n", Start), note("n", Start)}
	if err := c.EndRun(t.Context(), r, At(stocktake.Queued, r), inventory.End{Keep: keep, Notices: twice}); err == nil {
		t.Error("two notices of one id were kept")
	}
	got, err := c.DueNotices(t.Context(), target, Start, 10)
	must(t, err)
	same(t, "notices of a run that has not ended", len(got), 0)
	same(t, "history", history(t, c, "photos", "a"), []string{"r1 queued"})
}

func strays(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	has, err := c.HasStrays(t.Context(), "photos", "a")
	must(t, err)
	same(t, "has", has, false)
	odd := "data/\x00%+ 猫"
	got, err := c.Strays(t.Context(), "photos", "a", []string{"x", odd}, Start)
	must(t, err)
	same(t, "first", got, map[string]time.Time{"x": Start, odd: Start})
	has, err = c.HasStrays(t.Context(), "photos", "a")
	must(t, err)
	same(t, "has", has, true)
	later := Start.Add(time.Hour)
	got, err = c.Strays(t.Context(), "photos", "a", []string{odd, "y"}, later)
	must(t, err)
	same(t, "second", got, map[string]time.Time{odd: Start, "y": later})
	got, err = c.Strays(t.Context(), "photos", "a", []string{"x"}, later)
	must(t, err)
	same(t, "third", got, map[string]time.Time{"x": later})
	got, err = c.Strays(t.Context(), "photos", "a", []string{"x"}, Start)
	must(t, err)
	same(t, "after the clock went back", got, map[string]time.Time{"x": Start})
	got, err = c.Strays(t.Context(), "photos", "a", []string{"x"}, later)
	must(t, err)
	same(t, "later", got, map[string]time.Time{"x": Start})
	must(t, c.RemoveConfiguration(t.Context(), "photos", "a"))
	has, err = c.HasStrays(t.Context(), "photos", "a")
	must(t, err)
	same(t, "has", has, false)
}
