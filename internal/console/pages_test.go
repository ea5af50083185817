package console_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// TestStory goes through the console as a person does: make a configuration, see
// its run and its report, open a prefix, compare with the next report, change the
// configuration and delete it.
func TestStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", "2025/a.jpg", "2025/b.jpg", "2026/c.png", "readme")
	want(t, b.see(t, "/"), "photos", "no inventory")
	want(t, b.see(t, "/buckets/photos"), "No inventory yet", "/buckets/photos/new")
	want(t, b.see(t, "/buckets/photos/new"), "Keys that start with", "DeepColdArchive", "oss.NewClient", "stocktake inventory put", "acs:ram::"+account+":role/AliyunOSSRole")

	// The form says what is wrong, and keeps what was typed.
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

	// A day later it has grown.
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
	want(t, b.see(t, made.url+"/reports"), first, "with the one before", "Objects and bytes across reports") // the runs are forgotten, the reports are there
	// A change that the server refuses leaves what was there.
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

// TestFailureIsExplained makes a run fail and reads why.
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
		want(t, b.see(t, path), "failed", "make the bucket")
	}
	want(t, b.see(t, "/"), "1 failed")
	var data struct{ Run stocktake.Run }
	if err := json.Unmarshal([]byte(b.see(t, "/buckets/photos/inventories/daily/runs/"+run.ID+"?format=json")), &data); err != nil || data.Run.Reason != run.Reason {
		t.Errorf("%+v %v", data, err)
	}
	want(t, b.see(t, "/webhooks"), "ops", "Every notice has been delivered.")
	if a := b.post(t, "/webhooks/retry", url.Values{"id": {"none"}}); a.status != http.StatusNotFound {
		t.Error(a.status)
	}
}

// TestEveryPageAsJSON holds that a page answers the same question to programs.
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

// TestWindows asks for reports of changes by the form, and sees the windows.
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
