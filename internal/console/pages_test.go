package console_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/server"
)

// TestStory uses the console like a person: it adds a configuration, views its run
// and its report, opens a prefix, compares with the next report, changes the
// configuration and deletes it.
func TestStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "2025/a.jpg", "2025/b.jpg", "2026/c.png", "readme")
	want(t, b.see(t, "/"), "photos", "no inventory")
	want(t, b.see(t, "/buckets/photos"), "No inventory yet", "/buckets/photos/new")
	want(t, b.see(t, "/buckets/photos/new"), "Keys that start with", "DeepColdArchive", "oss.NewClient", "stocktake inventory put", "acs:ram::"+account+":role/AliyunOSSRole")

	// The form shows the errors, and keeps the input.
	bad := form("a/b")
	bad.Set("Filter/UpperSizeBound", "many")
	verdict := b.post(t, "/buckets/photos/check-form", bad)
	want(t, verdict.body, "Not valid yet", `data-fault="Filter/UpperSizeBound"`, "expected bytes")
	bad.Del("Filter/UpperSizeBound")
	want(t, b.post(t, "/buckets/photos/check-form", bad).body, `data-fault="Id"`, "no /")
	bad.Set("Id", "daily")
	bad.Set("Destination/OSSBucketDestination/Bucket", "nowhere")
	want(t, b.post(t, "/buckets/photos/check-form", bad).body, "there is no such bucket")
	refused := b.post(t, "/buckets/photos/new", bad)
	want(t, refused.body, "there is no such bucket", `value="nowhere"`)
	if refused.status != http.StatusUnprocessableEntity {
		t.Error(refused.status)
	}
	want(t, b.post(t, "/buckets/photos/check-form", form("daily")).body, "rules accept it.", "&lt;Id&gt;daily&lt;/Id&gt;")

	made := b.post(t, "/buckets/photos/new", form("daily"))
	if made.status != 200 || made.url != "/buckets/photos/inventories/daily" {
		t.Fatalf("%d %s %s", made.status, made.url, made.body)
	}
	if again := b.post(t, "/buckets/photos/new", form("daily")); again.status != http.StatusConflict || !strings.Contains(again.body, "has a configuration with this id already") {
		t.Errorf("%d %s", again.status, again.body)
	}
	run := w.wait(t, "daily")
	want(t, b.see(t, "/buckets/photos"), "daily", "succeeded")
	want(t, b.see(t, "/"), "good")
	first := "/buckets/photos/inventories/daily/reports/" + strings.Split(run.Manifest, "/")[3]
	want(t, b.see(t, made.url), first, "Since the last success")
	want(t, b.see(t, made.url+"/reports"), first, "complete")
	want(t, b.see(t, first), "2025/", "2026/", "(objects directly here)", "Largest objects", "2025/a.jpg", ".csv.gz")
	want(t, b.see(t, first+"?prefix=2025%2F"), "2025/", "(objects directly here)")
	want(t, b.see(t, first+"?by=objects"), `aria-current="true"`)

	// The file is what the report says.
	shard := b.get(t, first+"/shards/0")
	if shard.status != 200 || !strings.HasPrefix(shard.header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(shard.body, "\x1f\x8b") {
		t.Errorf("%d %v", shard.status, shard.header)
	}
	for _, none := range []string{first + "/shards/1", first + "/shards/-1", first + "/shards/x", made.url + "/reports/2001-01-01T00-00Z", made.url + "/reports/x", made.url + "/runs/x", "/buckets/photos/inventories/none"} {
		if a := b.get(t, none); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", none, a.status)
		}
	}

	// A day later the bucket has grown.
	w.put(t, "photos", "2026/large-one.png", "2027/new")
	w.advance(t, 24*time.Hour)
	second := w.wait(t, "daily")
	grew := b.see(t, "/buckets/photos/inventories/daily/reports/"+strings.Split(second.Manifest, "/")[3]+"/compare?with="+strings.Split(run.Manifest, "/")[3])
	want(t, grew, "2026/", "2027/", "stocktake report diff", "&#43;26 B")
	want(t, b.see(t, made.url), "Objects and bytes across reports", "Duration of runs")

	// Changing it keeps reports, retention and suspension.
	b.post(t, made.url+"/retain", url.Values{"reports": {"7"}})
	b.post(t, made.url+"/suspend", nil)
	changed := form("daily")
	changed.Set("Schedule/Frequency", "Weekly")
	changed.Set("Id", "ignored")
	if a := b.post(t, made.url+"/change", changed); a.url != made.url {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.wait(t, "daily")
	status, err := w.client.Status(t.Context(), "photos", "")
	if err != nil || len(status) != 1 || status[0].Frequency != stocktake.Weekly || !status[0].Suspended || status[0].Retention.Reports != 7 {
		t.Errorf("%+v %v", status, err)
	}
	want(t, b.see(t, made.url+"/reports"), first, "with the one before", "Objects and bytes across reports") // the runs are no longer recorded, but the reports exist
	// A change that the server rejects has no effect.
	changed.Set("Destination/OSSBucketDestination/RoleArn", "acs:ram::3:role/x")
	if a := b.post(t, made.url+"/change", changed); a.status != http.StatusUnprocessableEntity {
		t.Errorf("%d", a.status)
	}
	if cfg, err := w.client.Get(t.Context(), "photos", "daily"); err != nil || cfg.Destination.RoleARN != "acs:ram::"+account+":role/writer" {
		t.Errorf("%+v %v", cfg, err)
	}

	b.post(t, made.url+"/resume", nil)
	want(t, b.post(t, made.url+"/check", nil).body, "Nothing is wrong")
	if a := b.post(t, made.url+"/retain", url.Values{"days": {"-1"}}); a.status != http.StatusBadRequest {
		t.Error(a.status)
	}
	if a := b.post(t, made.url+"/delete", url.Values{"confirm": {"weekly"}}); a.status != http.StatusBadRequest {
		t.Error(a.status)
	}
	if a := b.post(t, made.url+"/delete", url.Values{"confirm": {"daily"}}); a.url != "/buckets/photos" {
		t.Error(a.url)
	}
	want(t, b.see(t, "/buckets/photos"), "No inventory yet")
}

// advance moves the server's clock.
func (w *world) advance(t *testing.T, d time.Duration) {
	t.Helper()
	if _, err := w.admin().AdvanceClock(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// TestLive follows a run and a verification by their events.
func TestLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "a", "b/c")
	run := w.inventory(t, configuration("daily"))
	report := "/buckets/photos/inventories/daily/reports/" + strings.Split(run.Manifest, "/")[3]
	for path, parts := range map[string][]string{
		"/buckets/photos/inventories/daily/runs/" + run.ID + "/live": {"succeeded", "Open the report"},
		report + "/verify": {"nothing is wrong"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.console+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, kind)
		}
		var text strings.Builder
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if line := lines.Text(); line != "" && !strings.HasPrefix(line, "data: ") && !strings.HasPrefix(line, "event: ") {
				t.Errorf("%s: the line %q", path, line)
			}
			text.WriteString(lines.Text() + "\n")
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		want(t, text.String(), append(parts, "event: ended")...)
	}
}

// TestFailureIsExplained makes a run fail and reads the reason.
func TestFailureIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "a")
	cfg := configuration("daily")
	w.inventory(t, cfg)
	w.empty(t, "reports")
	run, err := w.client.Run(t.Context(), "photos", "daily")
	if err != nil {
		t.Fatal(err)
	}
	if run = w.wait(t, "daily"); run.State != stocktake.Failed {
		t.Fatalf("%+v", run)
	}
	for _, path := range []string{"/buckets/photos/inventories/daily", "/buckets/photos/inventories/daily/runs/" + run.ID} {
		want(t, b.see(t, path), "failed", "create the bucket")
	}
	want(t, b.see(t, "/"), "1 failed")
	var data struct{ Run stocktake.Run }
	if err := json.Unmarshal([]byte(b.see(t, "/buckets/photos/inventories/daily/runs/"+run.ID+"?format=json")), &data); err != nil || data.Run.Reason != run.Reason {
		t.Errorf("%+v %v", data, err)
	}
	if a := b.post(t, "/webhooks/retry", url.Values{"id": {"none"}}); a.status != http.StatusNotFound {
		t.Error(a.status)
	}
}

// TestNotices views delivered notices and those that wait for a receiver that does
// not answer. It sends a test notice, retries one notice and drops one.
func TestNotices(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- string(body)
	}))
	t.Cleanup(receiver.Close)
	w := newWorld(t, "", func(c *server.Config) { c.Webhooks["well"] = receiver.URL })
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "a")
	run := w.inventory(t, configuration("daily"))
	told := func(state client.NoticeState, want int) (all []client.Notice) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for late := time.After(time.Minute); ; {
			var err error
			if all, _, err = w.admin().Notices(t.Context(), client.NoticeFilter{State: state}, ""); err != nil {
				t.Fatal(err)
			}
			if len(all) == want {
				return all
			}
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("%d notices %s, want %d: %+v", len(all), state, want, all)
			}
		}
	}
	told(client.NoticeDelivered, 1)
	waiting := told(client.NoticeWaiting, 1)
	all := b.see(t, "/webhooks")
	want(t, all, "ops", "well", "200 OK", ">delivered</span>", "succeeded", "/buckets/photos/inventories/daily/runs/"+run.ID, "Send again", "Drop")
	want(t, b.see(t, "/webhooks?state=delivered&bucket=photos&configuration=daily"), "About", "200 OK")
	if page := b.see(t, "/webhooks?bucket=photos&configuration=other"); strings.Contains(page, "200 OK") {
		t.Error("the page of another configuration has the notice")
	}
	want(t, b.see(t, "/webhooks?state=dead"), "Every notice has been received, or is still being tried.")
	if a := b.get(t, "/webhooks?state=odd"); a.status != http.StatusBadRequest {
		t.Error(a.status)
	}
	if a := b.get(t, "/webhooks?before=odd"); a.status != http.StatusBadRequest {
		t.Error(a.status)
	}
	want(t, b.see(t, "/buckets/photos/inventories/daily"), "/webhooks?bucket=photos&amp;configuration=daily")
	want(t, b.see(t, "/buckets/photos/inventories/daily/runs/"+run.ID), "/webhooks?bucket=photos&amp;configuration=daily")

	<-got
	if a := b.post(t, "/webhooks/test", url.Values{"webhook": {"well"}}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if body := <-got; !strings.Contains(body, `"event":"test"`) {
		t.Error(body)
	}
	again := told(client.NoticeDelivered, 2)[1]
	if a := b.post(t, "/webhooks/retry", url.Values{"id": {again.ID}}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if body := <-got; !strings.Contains(body, again.ID) {
		t.Error(body)
	}
	if a := b.post(t, "/webhooks/drop", url.Values{"id": {waiting[0].ID}}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	told(client.NoticeWaiting, 0)
	for path, form := range map[string]url.Values{
		"/webhooks/retry": {"id": {"none"}}, "/webhooks/drop": {"id": {waiting[0].ID}}, "/webhooks/test": {"webhook": {"none"}},
	} {
		if a := b.post(t, path, form); a.status != http.StatusNotFound && a.status != http.StatusConflict {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestMachines views the work of the only process.
func TestMachines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	page := b.see(t, "/machines")
	want(t, page, "One process does all the work", "stocktake serve --database", "scheduler", "No run is in progress", `hx-sse:connect="/machines/live"`)
	want(t, b.begin(t, "/machines/live").body, "data: ", "Runs in progress")
	var data struct {
		Machines []stocktake.Machine
		Runs     []any
	}
	if err := json.Unmarshal([]byte(b.see(t, "/machines?format=json")), &data); err != nil || len(data.Machines) != 1 || data.Runs == nil {
		t.Errorf("%+v %v", data, err)
	}
}

// TestEveryPageAsJSON holds that a page returns the same data as JSON.
func TestEveryPageAsJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "a/b")
	run := w.inventory(t, configuration("daily"))
	report := strings.Split(run.Manifest, "/")[3]
	for name, try := range requests {
		path := strings.NewReplacer("RUN", run.ID, "REPORT", report).Replace(try.path)
		if strings.HasPrefix(name, "Follow") || strings.HasPrefix(name, "Verify") || name == "DownloadShard" || name == "OpenBucket" || try.form != nil || strings.Contains("SignOut RunInventory CancelRun SuspendInventory ResumeInventory CheckInventory", name) {
			continue
		}
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		a := b.get(t, path+join+"format=json")
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !json.Valid([]byte(a.body)) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestWindows requests incremental reports with the form, and views the windows.
func TestWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "a")
	with := form("daily")
	with.Set("IncrementalInventory/IsEnabled", "true")
	with["IncrementalInventory/OptionalFields/Field"] = []string{"SequenceNumber", "RecordType"}
	made := b.post(t, "/buckets/photos/new", with)
	if made.status != 200 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	w.wait(t, "daily")
	w.put(t, "photos", "b", "c")
	w.advance(t, 25*time.Minute)
	w.firstWindow(t, "daily")
	page := b.see(t, made.url)
	want(t, page, "Changes, window by window", "Every change before", "every 600 seconds, SequenceNumber, RecordType", `aria-label="Windows"`)
	want(t, b.see(t, made.url+"/change"), `name="IncrementalInventory/IsEnabled" value="true" checked`)
}

// firstWindow waits until a window of a configuration has been reported.
func (w *world) firstWindow(t *testing.T, id string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		status, err := w.client.Status(t.Context(), "photos", id)
		if err != nil {
			t.Fatal(err)
		}
		if s := status[0].Incremental; s != nil && s.Last != nil && s.Last.State.Ended() {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no window was reported: %+v", status[0])
		}
	}
}
