package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ossapi"
)

func TestMetrics(t *testing.T) {
	m := metrics.New()
	m.Observe(ossapi.Observation{Operation: "PutObject", Status: 200, In: 10, Took: time.Millisecond})
	m.Observe(ossapi.Observation{Operation: "GetObject", Status: 404, Code: "NoSuchKey", Out: 7})

	start := time.Unix(1767628800, 0)
	r := stocktake.Run{Bucket: "photos", Configuration: "daily", Trigger: stocktake.TriggerFirst, State: stocktake.Queued}
	m.RunChanged(r)
	r.State, r.Started = stocktake.Scanning, start
	m.RunChanged(r)
	r.State, r.Ended = stocktake.Succeeded, start.Add(time.Second)
	r.Progress = stocktake.Progress{Listed: 5, Matched: 3, Written: 99}
	m.RunChanged(r)

	m.RunChanged(stocktake.Run{Trigger: stocktake.TriggerScheduled, State: stocktake.Skipped})

	got := scrape(t, m)
	for _, want := range []string{
		`stocktake_requests_total{code="",operation="PutObject",status="200"} 1`,
		`stocktake_requests_total{code="NoSuchKey",operation="GetObject",status="404"} 1`,
		`stocktake_received_bytes_total 10`,
		`stocktake_sent_bytes_total 7`,
		`stocktake_runs_total{state="succeeded",trigger="first"} 1`,
		`stocktake_runs_total{state="skipped",trigger="scheduled"} 1`,
		`stocktake_run_listed_total 5`,
		`stocktake_run_matched_total 3`,
		`stocktake_run_written_bytes_total 99`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}

// TestRuns reads what is, however the runs that end now have begun.
func TestRuns(t *testing.T) {
	running := 2
	m := metrics.New()
	m.Runs(func() (int, int) { return running, 3 })
	for range 2 {
		m.RunChanged(stocktake.Run{State: stocktake.Failed, Started: time.Unix(1767628800, 0)})
		got := scrape(t, m)
		for _, want := range []string{fmt.Sprintf("stocktake_runs_going %d", running), "stocktake_runs_waiting 3"} {
			if !strings.Contains(got, want+"\n") {
				t.Errorf("no line %s", want)
			}
		}
		running = 0
	}
}

func TestNotices(t *testing.T) {
	var failure error
	m := metrics.New()
	m.Notices(func(context.Context) (waiting, dead int64, err error) { return 2, 3, failure })
	got := scrape(t, m)
	for _, want := range []string{`stocktake_notices{state="waiting"} 2`, `stocktake_notices{state="dead"} 3`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	failure = errors.New("the catalog is away")
	if got := scrape(t, m); strings.Contains(got, "stocktake_notices{") || !strings.Contains(got, "stocktake_run_listed_total 0") {
		t.Errorf("with a catalog that fails:\n%s", got)
	}
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/-/metrics", nil))
	return w.Body.String()
}
