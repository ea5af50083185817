// Package catalogtest is the test suite for implementations of [inventory.Catalog].
package catalogtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/inventoryxml"
)

// Limit is the limit of configurations of a bucket in the suite.
const Limit = stocktake.MaxInventories

// Start is when the suite's configurations are put.
var Start = time.Date(2026, 1, 5, 16, 0, 0, 123456000, time.UTC)

// Configuration returns a valid configuration.
func Configuration(id string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true,
		Filter: stocktake.Filter{Prefix: "猫/ <&>"},
		Destination: stocktake.Destination{
			Format: "CSV", AccountID: "1000000000000000", RoleARN: "acs:ram::1000000000000000:role/writer",
			Bucket: "reports", Prefix: "inv",
		},
		Schedule:               stocktake.Schedule{Frequency: stocktake.Daily},
		IncludedObjectVersions: stocktake.CurrentVersions,
	}
}

// Entry returns an entry of bucket that is due an hour after Start.
func Entry(bucket, id string) inventory.Entry {
	due := Start.Add(time.Hour)
	return inventory.Entry{Bucket: bucket, Configuration: Configuration(id), Created: Start, Due: due, Wake: due}
}

// Queued returns a queued run of a configuration.
func Queued(bucket, configuration, id string) stocktake.Run {
	return stocktake.Run{
		ID: id, Bucket: bucket, Configuration: configuration, Trigger: stocktake.TriggerFirst,
		Kind: stocktake.FullRun, State: stocktake.Queued, Attempt: 1, Due: Start, Queued: Start, Destination: "reports",
	}
}

// Holder holds the suite's runs.
var Holder = inventory.Holder{Owner: "first", Lease: time.Minute}

// At returns the fence of a run of Holder in a state, with r's attempt.
func At(state stocktake.RunState, r stocktake.Run) inventory.Fence {
	return inventory.Fence{State: state, Owner: Holder.Owner, Attempt: r.Attempt}
}

// A Catalog has the methods that the suite tests.
type Catalog interface {
	inventory.Catalog
	inventory.NoticeCatalog
	inventory.StrayCatalog
	inventory.FigureCatalog
}

// Run tests the catalog that open returns. It must be empty, and open must close it
// at the end of the test.
func Run(t *testing.T, open func(t *testing.T) Catalog) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Catalog)
	}{
		{"a configuration reads back", readsBack},
		{"an id is taken once, also at the limit", existsBeforeLimit},
		{"the limit holds for puts at once", limitHolds},
		{"pages by bytes of the id", pages},
		{"buckets are apart", bucketsApart},
		{"a removed configuration takes its runs along", removal},
		{"a new configuration begins its history", freshHistory},
		{"a configuration takes the place of another one", replaces},
		{"a replacement begins and ends windows", replacesWindows},
		{"ids with a slash are found", nestedIDs},
		{"what is due, earliest first", due},
		{"a step is made once", stepOnce},
		{"a run that goes makes the next one skipped", skips},
		{"one unfinished run of a kind", oneUnfinished},
		{"kinds of runs are apart", kindsApart},
		{"a run only moves from where it is", compareAndSet},
		{"a run reads back", runReadsBack},
		{"a configuration and its last run", statuses},
		{"progress is kept until the end", progress},
		{"the newest ended runs are kept", keeps},
		{"runs that are not clean", clean},
		{"a configuration may go with its run", autoDelete},
		{"the last run's count", lastListed},
		{"expired leases are taken", expiredLeases},
		{"the only process takes all runs", takesAll},
		{"released runs are taken at once", released},
		{"runs without a holder are for all", freeRuns},
		{"runs that wait for their next attempt are free in time", postponed},
		{"a run is taken by one", takenOnce},
		{"who has lost a run changes nothing", fencedOut},
		{"a cancel request is kept with the run", cancelRequested},
		{"a run has one manifest", oneManifest},
		{"windows move on with their runs", windowsMove},
		{"windows of suspended configurations wait", windowsSuspended},
		{"windows are removed with their configuration", windowsRemoved},
		{"what a run recovers from", recovers},
		{"a run is late once", late},
		{"notices until they are delivered", notices},
		{"dead notices by page", deadNotices},
		{"delivered notices are kept, the newest", deliveredNotices},
		{"a run and its notices end together", noticesOfARun},
		{"runs are counted until they end", countsUnfinished},
		{"failing configurations come first", figures},
		{"figures leave out suspended windows", figuresOfWindows},
		{"strays keep the time they were found", strays},
		{"steps of several processes are made once", sharedSteps},
		{"one run of several that are asked for at once", sharedRuns},
		{"several processes share what one has left", sharedTaking},
		{"a bucket that several processes change", sharedBucket},
		{"an ended context changes nothing", endedContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: error %v, want %v", what, err, target)
	}
}

func same(t *testing.T, what string, got, wanted any) {
	t.Helper()
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func put(t *testing.T, c Catalog, bucket, id string) {
	t.Helper()
	must(t, c.AddConfiguration(t.Context(), Entry(bucket, id), nil, Holder, Limit))
}

func ids(entries []inventory.Entry) (ids []string) {
	for _, e := range entries {
		ids = append(ids, e.Bucket+"/"+e.Configuration.ID)
	}
	return ids
}

func readsBack(t *testing.T, c Catalog) {
	e := Entry("photos", "daily")
	e.Configuration.Schedule = stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(true)}
	e.Configuration.OptionalFields = []stocktake.Field{stocktake.FieldETag, stocktake.FieldSize}
	e.Suspended = true
	e.Retention = stocktake.Retention{Reports: 7, Days: 30}
	first := Queued("photos", "daily", "r1")
	must(t, c.AddConfiguration(t.Context(), e, &first, Holder, Limit))

	got, err := c.Configuration(t.Context(), "photos", "daily")
	must(t, err)
	same(t, "configuration", got, e)
	got.Configuration.OptionalFields[0], *got.Configuration.Schedule.AutoDelete = stocktake.FieldCRC64, false
	got, err = c.Configuration(t.Context(), "photos", "daily")
	must(t, err)
	same(t, "configuration after the caller has changed what was returned", got, e)
	document, err := c.Document(t.Context(), "photos", "daily")
	must(t, err)
	same(t, "document", string(document), string(inventoryxml.Append(nil, &e.Configuration)))

	_, err = c.Configuration(t.Context(), "photos", "weekly")
	want(t, "unknown id", err, stocktake.ErrNoSuchInventory)
	_, err = c.Document(t.Context(), "photos", "weekly")
	want(t, "document of an unknown id", err, stocktake.ErrNoSuchInventory)

	e.Due, e.Wake, e.Suspended = time.Time{}, time.Time{}, false
	must(t, c.SetDue(t.Context(), e))
	got, err = c.Configuration(t.Context(), "photos", "daily")
	must(t, err)
	same(t, "after SetDue", got, e)
	e.Retention = stocktake.Retention{Days: 1}
	must(t, c.SetRetention(t.Context(), "photos", "daily", e.Retention))
	got, err = c.Configuration(t.Context(), "photos", "daily")
	must(t, err)
	same(t, "after SetRetention", got, e)
	want(t, "SetRetention of an unknown id", c.SetRetention(t.Context(), "photos", "x", e.Retention), stocktake.ErrNoSuchInventory)
	put(t, c, "photos", "weekly")
	e.Due, e.Wake = Start.Add(2*time.Hour), Start.Add(3*time.Hour)
	other := Entry("photos", "weekly")
	other.Due, other.Wake = Start.Add(4*time.Hour), Start.Add(4*time.Hour)
	want(t, "SetDue of two and an unknown id", c.SetDue(t.Context(), e, other, Entry("photos", "x")), stocktake.ErrNoSuchInventory)
	got, err = c.Configuration(t.Context(), "photos", "daily")
	must(t, err)
	same(t, "after SetDue has failed", got.Due, time.Time{})
	must(t, c.SetDue(t.Context(), e, other))
	for _, e := range []inventory.Entry{e, other} {
		got, err = c.Configuration(t.Context(), "photos", e.Configuration.ID)
		must(t, err)
		same(t, "after SetDue of two", got.Due, e.Due)
	}
}

func existsBeforeLimit(t *testing.T, c Catalog) {
	put(t, c, "photos", "a")
	must(t, c.AddConfiguration(t.Context(), Entry("photos", "b"), nil, Holder, 2))
	want(t, "repeat", c.AddConfiguration(t.Context(), Entry("photos", "b"), nil, Holder, 2), stocktake.ErrInventoryExists)
	first := Queued("photos", "c", "r1")
	want(t, "third of two", c.AddConfiguration(t.Context(), Entry("photos", "c"), &first, Holder, 2), stocktake.ErrInventoryExceedLimit)
	if _, err := c.Run(t.Context(), "r1"); !errors.Is(err, stocktake.ErrNoSuchRun) {
		t.Errorf("the run of a refused configuration: %v, want %v", err, stocktake.ErrNoSuchRun)
	}
	must(t, c.RemoveConfiguration(t.Context(), "photos", "a"))
	must(t, c.RemoveConfiguration(t.Context(), "photos", "a"))
	must(t, c.AddConfiguration(t.Context(), Entry("photos", "c"), &first, Holder, 2))
	want(t, "third of two", c.AddConfiguration(t.Context(), Entry("photos", "d"), nil, Holder, 2), stocktake.ErrInventoryExceedLimit)
	n, err := c.CountConfigurations(t.Context())
	must(t, err)
	same(t, "count", n, int64(2))
}

func limitHolds(t *testing.T, c Catalog) {
	const limit, puts = 5, 12
	var wg sync.WaitGroup
	errs := make([]error, puts)
	for i := range puts {
		wg.Go(func() { errs[i] = c.AddConfiguration(t.Context(), Entry("photos", fmt.Sprint(i)), nil, Holder, limit) })
	}
	wg.Wait()
	kept := 0
	for _, err := range errs {
		if err == nil {
			kept++
		} else if !errors.Is(err, stocktake.ErrInventoryExceedLimit) {
			t.Error(err)
		}
	}
	page, _, err := c.Configurations(t.Context(), "photos", "", puts)
	must(t, err)
	if kept != limit || len(page) != limit {
		t.Errorf("%d puts succeeded, %d configurations are there, want %d", kept, len(page), limit)
	}
}

func pages(t *testing.T, c Catalog) {
	// UTF-16 order would put 😀 before ｡, and a dictionary a before B.
	sorted := []string{"1", "10", "100", "11", "B", "a", "b", "｡", "😀"}
	shuffled := slices.Clone(sorted)
	slices.Reverse(shuffled)
	for _, id := range shuffled {
		put(t, c, "photos", id)
	}
	var got []string
	for after, more := "", true; more; {
		page, m, err := c.Configurations(t.Context(), "photos", after, 3)
		must(t, err)
		if len(page) != 3 {
			t.Fatalf("page of %d, want 3", len(page))
		}
		for _, e := range page {
			got = append(got, e.Configuration.ID)
		}
		after, more = got[len(got)-1], m
	}
	same(t, "ids", got, sorted)
	got = nil
	for after, more := "", true; more; more = after != "" {
		page, next, err := c.Documents(t.Context(), "photos", after, 3)
		must(t, err)
		for _, document := range page {
			cfg, err := inventoryxml.Parse(document)
			must(t, err)
			got = append(got, cfg.ID)
		}
		if len(page) != 3 || next != "" && next != got[len(got)-1] {
			t.Fatalf("page of %d documents, want 3; the next one after %q", len(page), next)
		}
		after = next
	}
	same(t, "ids of documents", got, sorted)
	page, more, err := c.Configurations(t.Context(), "photos", "zzz\xf4\x8f\xbf\xbf", 3)
	must(t, err)
	same(t, "after an id that does not exist", ids(page), []string{"photos/｡", "photos/😀"})
	same(t, "more", more, false)
	page, more, err = c.Configurations(t.Context(), "photos", "😀", 3)
	must(t, err)
	if len(page) != 0 || more {
		t.Errorf("after the last: %v, more %v", ids(page), more)
	}
	documents, next, err := c.Documents(t.Context(), "photos", "😀", 3)
	must(t, err)
	if len(documents) != 0 || next != "" {
		t.Errorf("documents after the last: %q, next %q", documents, next)
	}
}

func bucketsApart(t *testing.T, c Catalog) {
	for _, b := range []string{"photos", "logs", "photo"} {
		put(t, c, b, "daily")
	}
	must(t, c.RemoveBucket(t.Context(), "photo"))
	must(t, c.RemoveBucket(t.Context(), "photo"))
	got, err := c.Buckets(t.Context(), "", 10)
	must(t, err)
	same(t, "buckets", got, []string{"logs", "photos"})
	got, err = c.Buckets(t.Context(), "logs", 10)
	must(t, err)
	same(t, "buckets after logs", got, []string{"photos"})
	page, _, err := c.Configurations(t.Context(), "photo", "", 10)
	must(t, err)
	same(t, "configurations left", len(page), 0)
}

func nestedIDs(t *testing.T, c Catalog) {
	for _, name := range []string{"photos a/b", "photos c", "logs x/y/z", "gone a/b"} {
		bucket, id, _ := strings.Cut(name, " ")
		put(t, c, bucket, id)
	}
	must(t, c.RemoveBucket(t.Context(), "gone"))
	got, err := c.NestedConfigurations(t.Context())
	must(t, err)
	same(t, "nested", ids(got), []string{"logs/x/y/z", "photos/a/b"})
}

func due(t *testing.T, c Catalog) {
	next, err := c.NextWake(t.Context())
	must(t, err)
	same(t, "next of none", next, time.Time{})

	for i, id := range []string{"third", "first", "second", "never"} {
		e := Entry("photos", id)
		e.Wake = Start.Add([]time.Duration{30, 10, 20, 0}[i] * time.Minute)
		if id == "never" {
			e.Due, e.Wake = time.Time{}, time.Time{}
		}
		must(t, c.AddConfiguration(t.Context(), e, nil, Holder, Limit))
	}
	next, err = c.NextWake(t.Context())
	must(t, err)
	same(t, "next", next, Start.Add(10*time.Minute))

	got, err := c.Due(t.Context(), Start.Add(20*time.Minute), 10)
	must(t, err)
	same(t, "due", ids(got), []string{"photos/first", "photos/second"})
	got, err = c.Due(t.Context(), Start.Add(time.Hour), 1)
	must(t, err)
	same(t, "due, one", ids(got), []string{"photos/first"})
	got, err = c.Due(t.Context(), Start.Add(10*time.Minute-time.Microsecond), 10)
	must(t, err)
	same(t, "due too early", len(got), 0)
}

func endedContext(t *testing.T, c Catalog) {
	ctx, cancel := contextEnded(t)
	defer cancel()
	first := Queued("photos", "daily", "r1")
	if err := c.AddConfiguration(ctx, Entry("photos", "daily"), &first, Holder, Limit); err == nil {
		t.Error("a put with an ended context succeeded")
	}
	_, err := c.Configuration(t.Context(), "photos", "daily")
	want(t, "after a put with an ended context", err, stocktake.ErrNoSuchInventory)
	put(t, c, "photos", "daily")
	if err := c.RemoveBucket(ctx, "photos"); err == nil || strings.Contains(err.Error(), "%!") {
		t.Errorf("a removal with an ended context: %v", err)
	}
	_, err = c.Configuration(t.Context(), "photos", "daily")
	must(t, err)
}
