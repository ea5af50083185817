package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/throttle"
)

func newMetrics() *metrics.Metrics { return metrics.New(slog.New(slog.DiscardHandler)) }

func TestRequests(t *testing.T) {
	m := newMetrics()
	m.Observe(ossapi.Observation{Operation: "PutObject", Status: 200, In: 10, Took: time.Millisecond})
	m.Observe(ossapi.Observation{Operation: "GetObject", Status: 404, Code: "NoSuchKey", Out: 7})
	has(t, m,
		`stocktake_requests_total{code="",operation="PutObject",status="200"} 1`,
		`stocktake_requests_total{code="NoSuchKey",operation="GetObject",status="404"} 1`,
		`stocktake_request_duration_seconds_count{operation="GetObject"} 1`,
		`stocktake_received_bytes_total 10`,
		`stocktake_sent_bytes_total 7`,
	)
}

// service is an inventory service with the given runs.
type service struct{ active []stocktake.Run }

func (s *service) Load() inventory.Load    { return inventory.Load{Running: len(s.active), Waiting: 3} }
func (s *service) Active() []stocktake.Run { return s.active }

// catalog has the given figures.
type catalog struct {
	unfinished map[inventory.UnfinishedKey]inventory.UnfinishedCount
	figures    inventory.Figures
	asked      int // for at most so many figures
	err        error
}

func (c *catalog) CountUnfinished(context.Context) (map[inventory.UnfinishedKey]inventory.UnfinishedCount, error) {
	return c.unfinished, c.err
}

func (c *catalog) Figures(_ context.Context, max int) (inventory.Figures, error) {
	c.asked = max
	return c.figures, c.err
}

var start = time.Unix(1767628800, 0)

// The progress of a run is counted while it is made, and only once, however often
// and in which order it is read.
func TestRunProgress(t *testing.T) {
	m, s := newMetrics(), &service{}
	m.Runs(s, &catalog{})
	r := stocktake.Run{ID: "1", Kind: stocktake.FullRun, Trigger: stocktake.TriggerFirst, State: stocktake.Scanning, Attempt: 1, Queued: start, Started: start.Add(time.Second)}
	m.RunChanged(r)
	s.active = []stocktake.Run{r}
	has(t, m, `stocktake_run_listed_objects_total 0`, `stocktake_run_queue_seconds_sum{kind="full"} 1`)
	r.Progress = stocktake.Progress{Listed: 5, Matched: 3, Bytes: 30, Written: 9}
	s.active = []stocktake.Run{r}
	for range 2 {
		has(t, m, `stocktake_run_listed_objects_total 5`, `stocktake_run_matched_objects_total 3`, `stocktake_run_matched_bytes_total 30`, `stocktake_run_written_bytes_total 9`)
	}
	r.Progress = stocktake.Progress{Listed: 8, Matched: 3, Bytes: 30, Written: 11}
	r.State, r.Ended, r.Late = stocktake.Succeeded, start.Add(3*time.Second), true
	m.RunChanged(r)
	has(t, m, `stocktake_run_listed_objects_total 8`, `stocktake_run_written_bytes_total 11`) // it is still active
	s.active = nil
	second := stocktake.Run{ID: "1", Kind: stocktake.FullRun, State: stocktake.Scanning, Attempt: 2, Progress: stocktake.Progress{Listed: 2}}
	s.active = []stocktake.Run{second}
	has(t, m,
		`stocktake_run_listed_objects_total 10`,
		`stocktake_runs_total{kind="full",state="succeeded",trigger="first"} 1`,
		`stocktake_runs_ended_late_total{kind="full"} 1`,
		`stocktake_run_duration_seconds_sum{kind="full"} 2`,
		`stocktake_run_last_end_timestamp_seconds 1.767628803e+09`,
	)
	s.active = nil // dropped with its configuration: its progress stays counted
	has(t, m, `stocktake_run_listed_objects_total 10`)
	m.RunChanged(stocktake.Run{ID: "2", Kind: stocktake.FullRun, Trigger: stocktake.TriggerScheduled, State: stocktake.Skipped})
	has(t, m, `stocktake_runs_total{kind="full",state="skipped",trigger="scheduled"} 1`)
}

func TestRunsOfTheCatalog(t *testing.T) {
	c := &catalog{unfinished: map[inventory.UnfinishedKey]inventory.UnfinishedCount{
		{State: stocktake.Queued, Kind: stocktake.FullRun}: {Runs: 4, Late: 1}, {State: stocktake.Publishing, Kind: stocktake.IncrementalRun}: {Runs: 2},
	}}
	m := newMetrics()
	m.Runs(&service{active: make([]stocktake.Run, 2)}, c)
	has(t, m,
		`stocktake_runs_active 2`, `stocktake_runs_waiting 3`,
		`stocktake_runs{kind="full",state="queued"} 4`, `stocktake_runs{kind="full",state="scanning"} 0`, `stocktake_runs{kind="incremental",state="publishing"} 2`,
		`stocktake_runs_late{kind="full"} 1`, `stocktake_runs_late{kind="incremental"} 0`,
	)
	c.err = errors.New("the catalog is away")
	got := scrape(t, m)
	if strings.Contains(got, "stocktake_runs{") || !strings.Contains(got, "stocktake_runs_active 2") || !strings.Contains(got, "promhttp_metric_handler_errors_total") {
		t.Errorf("with a catalog that fails:\n%s", got)
	}
}

// windows are of ten minutes, at an hour after start.
type windows struct{}

func (windows) WindowBehind(begin time.Time) (time.Duration, bool) {
	return start.Add(time.Hour).Sub(begin.Add(10 * time.Minute)), !begin.IsZero()
}

func TestConfigurations(t *testing.T) {
	c := &catalog{figures: inventory.Figures{Configurations: 7, Scheduled: 6, Failing: 1, Window: start, Shown: []inventory.Figure{
		{
			Bucket: "photos", Configuration: "daily", Created: start, Due: start.Add(time.Hour), Frequency: stocktake.Weekly, Failing: true, Incremental: start.Add(time.Minute), Window: start.Add(time.Minute),
			Full: &stocktake.Run{Started: start, Ended: start.Add(2 * time.Second), Progress: stocktake.Progress{Matched: 3, Bytes: 30}},
		},
		{Bucket: "photos", Configuration: "once", Created: start, Frequency: stocktake.Once},
	}}}
	m := newMetrics()
	m.Configurations(c, windows{}, 2)
	const daily, once = `{bucket="photos",configuration="daily"}`, `{bucket="photos",configuration="once"}`
	has(t, m,
		`stocktake_configurations 7`, `stocktake_configurations_scheduled 6`, `stocktake_configurations_failing 1`, `stocktake_configurations_shown 2`,
		`stocktake_configuration_last_success_timestamp_seconds{bucket="photos",configuration="daily",kind="full"} 1.767628802e+09`,
		`stocktake_configuration_last_success_timestamp_seconds{bucket="photos",configuration="daily",kind="incremental"} 1.76762886e+09`,
		`stocktake_windows_behind_seconds 3000`, `stocktake_configuration_window_behind_seconds`+daily+` 2940`,
		`stocktake_configuration_interval_seconds`+daily+` 604800`,
		`stocktake_configuration_next_run_timestamp_seconds`+daily+` 1.7676324e+09`,
		`stocktake_configuration_last_run_failed`+daily+` 1`, `stocktake_configuration_last_run_failed`+once+` 0`,
		`stocktake_configuration_report_objects`+daily+` 3`, `stocktake_configuration_report_bytes`+daily+` 30`, `stocktake_configuration_report_duration_seconds`+daily+` 2`,
	)
	if c.asked != 2 {
		t.Errorf("asked for %d configurations", c.asked)
	}
	got := scrape(t, m)
	for _, name := range []string{"window_behind_seconds", "interval_seconds", "next_run_timestamp_seconds", "report_objects"} {
		if strings.Contains(got, "stocktake_configuration_"+name+once) {
			t.Errorf("%s of a configuration that has none", name)
		}
	}
}

func TestStores(t *testing.T) {
	m := newMetrics()
	m.Stores([]metrics.NamedStore{{Name: "lake", Stats: func() throttle.Stats {
		return throttle.Stats{Refused: 1, Failed: 2, Retried: 3, InFlight: 4, Waiting: 5, Limit: 6}
	}}})
	m.StoreRequest("lake")("list", time.Second)
	has(t, m,
		`stocktake_store_requests_total{operation="list",store="lake"} 1`, `stocktake_store_request_duration_seconds_sum{operation="list",store="lake"} 1`,
		`stocktake_store_throttled_total{store="lake"} 1`, `stocktake_store_failed_total{store="lake"} 2`, `stocktake_store_retries_total{store="lake"} 3`,
		`stocktake_store_requests_in_flight{store="lake"} 4`, `stocktake_store_requests_waiting{store="lake"} 5`, `stocktake_store_requests_in_flight_max{store="lake"} 6`,
	)
}

func TestNotices(t *testing.T) {
	var failure error
	m := newMetrics()
	m.Notices(func(context.Context) (waiting, dead int64, err error) { return 2, 3, failure })
	m.NoticeAttempted("ops", "received")
	has(t, m, `stocktake_notices{state="waiting"} 2`, `stocktake_notices{state="dead"} 3`, `stocktake_notice_deliveries_total{result="received",webhook="ops"} 1`)
	failure = errors.New("the catalog is away")
	if got := scrape(t, m); strings.Contains(got, "stocktake_notices{") || !strings.Contains(got, "stocktake_run_listed_objects_total 0") {
		t.Errorf("with a catalog that fails:\n%s", got)
	}
}

func has(t *testing.T, m *metrics.Metrics, lines ...string) {
	t.Helper()
	got := scrape(t, m)
	for _, want := range lines {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/-/metrics", nil))
	return w.Body.String()
}
