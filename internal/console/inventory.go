package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/console/snippet"
	"github.com/stocktake/stocktake/internal/human"
)

// inventoryData is the page of one configuration.
type inventoryData struct {
	Bucket        string                           `json:"bucket"`
	ID            string                           `json:"id"`
	Store         string                           `json:"store,omitempty"`
	Configuration stocktake.InventoryConfiguration `json:"configuration"`
	Status        stocktake.InventoryStatus        `json:"status"`
	Runs          []runRow                         `json:"runs"` // newest first

	LastSuccess  *runRow `json:"lastSuccess,omitempty"`
	SinceSuccess int64   `json:"secondsSinceSuccess"` // -1: unknown

	XML     string `json:"-"`
	Command string `json:"-"`
	Code    string `json:"-"`

	History *chart `json:"-"` // duration of the runs
	Growth  *chart `json:"-"` // objects and bytes of the reports
	Base    string `json:"-"` // path of the page
	All     bool   `json:"-"` // all runs are listed, not only the newest
}

// A runRow is a run with derived values.
type runRow struct {
	stocktake.Run
	Seconds float64 `json:"seconds"`               // duration, so far if the run has not ended
	Rate    int64   `json:"rate"`                  // objects listed per second
	Left    int64   `json:"secondsLeft,omitempty"` // estimate; 0: unknown
	Done    float64 `json:"percentDone,omitempty"`
	Href    string  `json:"-"`
	Report  string  `json:"-"` // path of its report; empty: none
}

// newRunRow computes the derived values of a run.
func newRunRow(r *stocktake.Run, now time.Time) runRow {
	row := runRow{Run: *r, Href: inventoryHref(r.Bucket, r.Configuration) + "/runs/" + r.ID}
	end := r.Ended
	if end.IsZero() {
		end = now
	}
	if !r.Started.IsZero() {
		row.Seconds = max(end.Sub(r.Started).Seconds(), 0)
	}
	if row.Seconds > 0 {
		row.Rate = int64(float64(r.Listed) / row.Seconds)
	}
	if r.Expected > 0 && !r.State.Ended() {
		row.Done = min(100*float64(r.Listed)/float64(r.Expected), 100)
		if row.Rate > 0 && r.Expected > r.Listed {
			row.Left = (r.Expected - r.Listed) / row.Rate
		}
	}
	if r.State == stocktake.Succeeded && r.Manifest != "" {
		if dir, ok := directoryName(r.Manifest); ok {
			row.Report = inventoryHref(r.Bucket, r.Configuration) + "/reports/" + dir
		}
	}
	return row
}

// reportedBy reports whether the report of a run is where cfg stores its reports.
// It is not if cfg has replaced a configuration with another destination; pages
// then show only the key of the manifest.
func reportedBy(cfg *stocktake.InventoryConfiguration, r *stocktake.Run) bool {
	folder := r.Bucket + "/" + r.Configuration + "/"
	if cfg.Destination.Prefix != "" {
		folder = cfg.Destination.Prefix + "/" + folder
	}
	return r.Destination == cfg.Destination.Bucket && strings.HasPrefix(r.Manifest, folder)
}

// Took returns the duration of the run, so far if it has not ended.
func (r runRow) Took() time.Duration { return time.Duration(r.Seconds * float64(time.Second)) }

// Remaining returns the estimated remaining time.
func (r runRow) Remaining() time.Duration { return time.Duration(r.Left) * time.Second }

// newestRuns is how many runs the page of a configuration lists at first.
const newestRuns = 20

// inventory shows a configuration, its state and its history.
func (v *visit) inventory() (*page, error) {
	data, err := v.readInventory()
	if err != nil {
		return nil, err
	}
	data.All = v.r.URL.Query().Has("all")
	return &page{Template: "inventory", Title: human.Visible(data.ID), Trail: trail(data.Bucket, ""), Data: data, Charts: true}, nil
}

func (v *visit) readInventory() (*inventoryData, error) {
	cfg, err := v.client.Get(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	status, err := v.client.Status(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	if len(status) != 1 {
		return nil, stocktake.ErrNoSuchInventory
	}
	runs, err := v.client.Runs(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	data := &inventoryData{
		Bucket: v.bucket(), ID: v.id(), Store: v.storeOf(v.bucket()), Configuration: cfg, Status: status[0], SinceSuccess: -1,
		XML: snippet.XML(&cfg), Command: snippet.Command(v.bucket(), &cfg), Code: snippet.Go(v.Endpoint, v.Region, v.bucket(), &cfg),
		Base: inventoryHref(v.bucket(), v.id()), Runs: []runRow{},
	}
	now := v.Now()
	for i := range runs {
		row := newRunRow(&runs[i], now)
		if !reportedBy(&cfg, &row.Run) {
			row.Report = ""
		}
		data.Runs = append(data.Runs, row)
	}
	if i := slices.IndexFunc(data.Runs, func(r runRow) bool { return r.State == stocktake.Succeeded && r.Kind == stocktake.FullRun }); i >= 0 {
		data.LastSuccess = &data.Runs[i]
		data.SinceSuccess = max(int64(now.Sub(data.Runs[i].Ended).Seconds()), 0)
	}
	data.History, data.Growth = historyChart(data.Full()), growthChart(data.Full())
	return data, nil
}

// Since returns the time since the last successful run.
func (d *inventoryData) Since() time.Duration { return time.Duration(d.SinceSuccess) * time.Second }

// Full returns the runs of full reports, the newest first.
func (d *inventoryData) Full() []runRow { return d.ofKind(stocktake.FullRun) }

// Windows returns the runs that reported the changes of a window, the newest first.
func (d *inventoryData) Windows() []runRow { return d.ofKind(stocktake.IncrementalRun) }

func (d *inventoryData) ofKind(kind stocktake.RunKind) (rows []runRow) {
	for _, r := range d.Runs {
		if r.Kind == kind {
			rows = append(rows, r)
		}
	}
	return rows
}

// Shown returns the rows that the page lists.
func (d *inventoryData) Shown(rows []runRow) []runRow {
	if d.All {
		return rows
	}
	return rows[:min(len(rows), newestRuns)]
}

// Failure returns the newest run if it failed; else nil.
func (d *inventoryData) Failure() *runRow {
	if i := slices.IndexFunc(d.Runs, func(r runRow) bool { return r.State != stocktake.Skipped && r.Kind == stocktake.FullRun }); i >= 0 && d.Runs[i].State == stocktake.Failed {
		return &d.Runs[i]
	}
	return nil
}

// Current returns the run in progress; nil: none.
func (d *inventoryData) Current() *runRow {
	if i := slices.IndexFunc(d.Runs, func(r runRow) bool { return !r.State.Ended() && r.Kind == stocktake.FullRun }); i >= 0 {
		return &d.Runs[i]
	}
	return nil
}

// historyChart shows the durations and the results of runs. It returns nil if there
// are too few.
func historyChart(runs []runRow) *chart {
	c := &chart{Kind: "bar", Title: "Duration of runs", Unit: "milliseconds", Stacked: true}
	runs = slices.Clone(runs)
	slices.Reverse(runs)
	runs = slices.DeleteFunc(runs, func(r runRow) bool { return r.Started.IsZero() })
	for i, r := range runs {
		c.Labels = append(c.Labels, r.Started.UTC().Format("01-02 15:04"))
		c.Links = append(c.Links, r.Href)
		name, tone := string(r.State), tone(r.State)
		if tone == "busy" {
			name = "in progress"
		}
		at := slices.IndexFunc(c.Series, func(s series) bool { return s.Tone == tone })
		if at < 0 {
			at = len(c.Series)
			c.Series = append(c.Series, series{Name: name, Tone: tone, Values: make([]int64, len(runs))})
		}
		c.Series[at].Values[i] = int64(r.Seconds * 1000)
	}
	return c.unlessShort()
}

// growthChart shows objects and bytes over time, from the reports of runs. It
// returns nil if there are too few.
func growthChart(runs []runRow) *chart {
	c := newGrowthChart()
	for _, r := range slices.Backward(runs) {
		if r.State == stocktake.Succeeded {
			c.addReport(r.Started, r.Report, r.Matched, r.Bytes)
		}
	}
	return c.unlessShort()
}

// back redirects to the page of the configuration.
func (v *visit) back() (*page, error) { return v.redirect(inventoryHref(v.bucket(), v.id())) }

// runInventory starts a run and redirects to it.
func (v *visit) runInventory() (*page, error) {
	run, err := v.client.Run(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	return v.redirect(inventoryHref(v.bucket(), v.id()) + "/runs/" + run.ID)
}

// cancelRun cancels the current run and redirects to it.
func (v *visit) cancelRun() (*page, error) {
	run, err := v.client.Cancel(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	return v.redirect(inventoryHref(v.bucket(), v.id()) + "/runs/" + run.ID)
}

func (v *visit) suspendInventory() (*page, error) { return v.control(v.client.Suspend) }
func (v *visit) resumeInventory() (*page, error)  { return v.control(v.client.Resume) }

// control carries out an action and redirects to the configuration.
func (v *visit) control(act func(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error)) (*page, error) {
	if _, err := act(v.ctx, v.bucket(), v.id()); err != nil {
		return nil, err
	}
	return v.back()
}

// checkInventory makes the checks of a run and shows the results.
func (v *visit) checkInventory() (*page, error) {
	status, err := v.client.Check(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	return &page{Template: "checked", Title: "Check", Trail: trail(v.bucket(), v.id()), Data: status}, nil
}

// retainReports sets which reports are kept.
func (v *visit) retainReports() (*page, error) {
	number := func(name string) (int, error) {
		text := v.r.PostForm.Get(name)
		if text == "" {
			return 0, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, badRequest("the number of %s to keep is not a number: %q", name, human.Visible(text))
		}
		return n, nil
	}
	reports, err := number("reports")
	if err != nil {
		return nil, err
	}
	days, err := number("days")
	if err != nil {
		return nil, err
	}
	if _, err := v.client.Retain(v.ctx, v.bucket(), v.id(), stocktake.Retention{Reports: reports, Days: days}); err != nil {
		return nil, err
	}
	return v.back()
}

// deleteInventory deletes a configuration. The user types its id to confirm.
func (v *visit) deleteInventory() (*page, error) {
	if v.r.PostForm.Get("confirm") != v.id() {
		return nil, badRequest("the configuration was not deleted: type its id, %s, to confirm", human.Visible(v.id()))
	}
	if err := v.client.Delete(v.ctx, v.bucket(), v.id()); err != nil {
		return nil, err
	}
	return v.redirect(bucketHref(v.bucket()))
}
