package interop_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/chromedp/chromedp"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	inventories "github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
)

var screenshots = flag.Bool("screenshots", false, "rewrite the pictures in docs/images")

// TestConsole goes through the console in a real Chromium, as a person does: sign
// in, make a configuration, watch a run to its end, open the report, open a
// prefix, compare two reports, see a failure explained. On every page, light and
// dark, wide and narrow, axe finds nothing serious and no policy is violated.
func TestConsole(t *testing.T) {
	w := newConsoleWorld(t)
	b := newChromium(t)

	b.open(t, w.console+"/")
	b.look(t, "sign-in")
	b.typeInto(t, "#key", testserver.AccessKeyID)
	b.typeInto(t, "#secret", "wrong")
	b.press(t, "main button")
	b.waitFor(t, "The access key does not exist")
	b.typeInto(t, "#secret", testserver.AccessKeySecret)
	b.press(t, "main button")
	b.waitFor(t, "Newest report")
	b.waitFor(t, "lake-logs") // a bucket of another store
	b.look(t, "buckets")

	// Create a configuration. Errors are shown while it is typed.
	b.open(t, w.console+"/buckets/lake-logs")
	b.waitFor(t, "No inventory yet")
	b.press(t, "main a.primary")
	b.typeInto(t, `[name="Id"]`, "a/b")
	b.waitFor(t, "Not valid yet")
	b.waitFor(t, "also names the folder") // the help of the field stays
	b.typeInto(t, `[name="Id"]`, "hourly")
	b.typeInto(t, `[name="Destination/OSSBucketDestination/Bucket"]`, "nowhere")
	b.waitFor(t, "there is no such bucket")
	b.typeInto(t, `[name="Destination/OSSBucketDestination/Bucket"]`, "reports")
	b.waitFor(t, "rules accept it")
	b.press(t, "#verdict details:nth-of-type(1) summary")
	b.waitFor(t, "<Id>hourly</Id>")
	b.look(t, "form")
	b.press(t, "form button.primary")

	// Watch its run. The other store answers slowly.
	b.waitFor(t, "Watch the run")
	b.press(t, "a.button.primary")
	b.waitFor(t, "scanning")
	b.until(t, "the progress moves by itself", `Number(document.querySelector("#live .stats dd").textContent.replaceAll(",", "")) > 0`)
	b.look(t, "run")
	here := b.address(t)
	b.open(t, w.console+"/machines")
	b.waitFor(t, "lake-logs / hourly")
	b.waitFor(t, "objects listed")
	b.look(t, "machines")
	b.open(t, here)
	b.waitFor(t, "Open the report")
	b.waitFor(t, "succeeded")
	b.press(t, "#live a.button.primary")
	b.waitFor(t, "Largest objects")
	b.until(t, "the charts are drawn", `document.body.dataset.charts > 0 && document.querySelectorAll("canvas").length > 0`)

	// A larger report: open a prefix in the table, then in the treemap.
	b.open(t, w.console+"/buckets/media/inventories/daily")
	b.waitFor(t, "Objects and bytes across reports")
	b.look(t, "inventory")
	b.open(t, w.console+"/buckets/media")
	b.look(t, "bucket")
	b.open(t, w.console+"/buckets/media/inventories/daily/reports")
	b.waitFor(t, "with the one before")
	b.look(t, "reports")
	b.press(t, "tbody th a")
	b.waitFor(t, "Prefixes")
	b.look(t, "report")
	b.press(t, "#prefixes tbody th a")
	b.until(t, "a prefix is open", `location.search.includes("prefix=") && document.querySelectorAll(".path li").length == 2`)
	b.clickCanvas(t, "#prefixes canvas")
	b.until(t, "a prefix below it is open", `document.querySelectorAll(".path li").length == 3`)
	b.run(t, chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.until(t, "the address leads back", `document.querySelectorAll(".path li").length == 2`)
	// chromedp loses track of a page that the browser restores from its cache, so a script in
	// the page presses the button.
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.getElementById("verify").click()`))
	b.waitFor(t, "nothing is wrong")

	b.open(t, w.console+"/buckets/media/inventories/daily/reports")
	b.press(t, "tbody td:last-child a")
	b.waitFor(t, "What grew")
	b.waitFor(t, "audio/")
	b.look(t, "compare")

	// A failure is explained.
	b.open(t, w.console+"/buckets/media/inventories/broken")
	b.waitFor(t, "The last run failed")
	b.press(t, ".note.bad a")
	b.waitFor(t, "Why it failed, and what to do")
	b.waitFor(t, "create the bucket")
	b.look(t, "failure")

	b.useWebhooks(t, w)

	// Everything can be reached by keyboard: the first Tab shows the link that skips the
	// header.
	b.open(t, w.console+"/")
	b.run(t, chromedp.KeyEvent("\t"))
	b.until(t, "the skip link has the focus", `document.activeElement.className == "skip"`)

	b.press(t, `form[action="/sign-out"] button`)
	b.waitFor(t, "Access key secret")
	b.open(t, w.console+"/buckets/media")
	b.waitFor(t, "Access key secret")
}

// A consoleWorld is a server with a console and content to show.
type consoleWorld struct {
	console string // URL
	server  *testserver.Server
	oss     *oss.Client
	admin   *inventories.Admin
	told    chan string // notices that the receiver "audit" has received
}

// startConsole starts a server, which ends with the test.
func startConsole(t *testing.T, cfg testserver.Config) *testserver.Server {
	t.Helper()
	cfg.Binary = build(t)
	s, err := testserver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil && s.Ended() {
			t.Error(err)
		}
	})
	return s
}

// slowLake starts another store, with the bucket lake-logs, which has the given
// number of objects and the named ones, and the bucket lake-reports. It returns the
// settings of a server that requests a page of 1,000 keys from it every 2.5 seconds.
func slowLake(t *testing.T, dir string, objects int, names ...string) (settings string) {
	t.Helper()
	far := startConsole(t, testserver.Config{Data: filepath.Join(dir, "far"), Args: []string{"--bucket", "lake-logs", "--bucket", "lake-reports"}})
	for i := range objects {
		names = append(names, fmt.Sprintf("app-%d/2026-%02d/%05d.log", i%3, i%12+1, i))
	}
	putAll(t, ossOf(far), "lake-logs", 10, names...)
	key := filepath.Join(dir, "far-key.yaml")
	settings = filepath.Join(dir, "stocktake.yaml")
	for path, text := range map[string]string{
		key: "access-key-id: " + testserver.AccessKeyID + "\naccess-key-secret: " + testserver.AccessKeySecret + "\n",
		settings: `stores:
  - name: lake
    kind: oss
    endpoint: ` + far.URL() + `
    region: ` + testserver.Region + `
    credentials: {file: ` + key + `}
    roles: {"*": default}
    buckets: [lake-logs, lake-reports]
    requests-per-second: 0.4
    concurrency: 1
`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return settings
}

func newConsoleWorld(t *testing.T) *consoleWorld {
	t.Helper()
	dir := t.TempDir()
	settings := slowLake(t, dir, 5000)
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		told <- string(body)
	}))
	t.Cleanup(receiver.Close)
	s := startConsole(t, testserver.Config{Data: filepath.Join(dir, "here"), Console: "127.0.0.1:0", Args: []string{
		"--config", settings, "--bucket", "media", "--bucket", "reports", "--bucket", "old-reports", "--bucket", "empty",
		"--webhook", "audit=" + receiver.URL, "--webhook", "ops=http://127.0.0.1:1/hook", "--clock-control",
	}})
	console, err := s.ConsoleURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	admin := &inventories.Admin{Endpoint: s.URL(), Region: testserver.Region, AccessKeyID: testserver.AccessKeyID, AccessKeySecret: testserver.AccessKeySecret}
	w := &consoleWorld{console, s, ossOf(s), admin, told}
	w.fill(t)
	return w
}

func ossOf(s *testserver.Server) *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().WithRegion(testserver.Region).WithEndpoint(s.URL()).WithHttpClient(inventories.NewHTTPClient()).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)))
}

// putAll puts objects of up to size bytes.
func putAll(t *testing.T, c *oss.Client, bucket string, size int, keys ...string) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(len(keys))))
	var g errgroup.Group
	g.SetLimit(16)
	for _, key := range keys {
		n := 1 + random.IntN(size)*random.IntN(size)/size
		class := oss.StorageClassStandard
		if strings.Contains(key, "2024/") {
			class = oss.StorageClassIA
		}
		g.Go(func() error {
			_, err := c.PutObject(t.Context(), &oss.PutObjectRequest{Bucket: &bucket, Key: &key, Body: bytes.NewReader(make([]byte, n)), StorageClass: class})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// fill makes reports of a bucket that grows every day, and a configuration that fails.
func (w *consoleWorld) fill(t *testing.T) {
	t.Helper()
	c := inventories.New(w.oss)
	wait := func(id string) stocktake.Run {
		runs, err := c.Runs(t.Context(), "media", id)
		if err != nil || len(runs) == 0 {
			t.Fatal(runs, err)
		}
		run, err := c.Wait(t.Context(), runs[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	cfg := stocktake.InventoryConfiguration{
		ID: "daily", IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Daily}, IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass},
		Destination:    stocktake.Destination{Format: "CSV", AccountID: testserver.AccountID, RoleARN: roleARN, Bucket: "reports", Prefix: "inventory"},
	}
	day := func(n int) (keys []string) {
		for _, kind := range []string{"photos/2024/raw", "photos/2024/web", "photos/2025/raw", "video/2025/cuts", "video/2026/cuts", "audio/2026/takes", "backup/db"} {
			for i := range 12 {
				keys = append(keys, fmt.Sprintf("%s/%02d-%02d%s", kind, n, i, []string{".jpg", ".mp4", ".tar.gz"}[(i+len(kind))%3]))
			}
		}
		return keys
	}
	putAll(t, w.oss, "media", 200_000, append(day(0), "index.html", "robots.txt")...)
	for n := range 5 {
		if n == 0 {
			if err := c.Put(t.Context(), "media", cfg); err != nil {
				t.Fatal(err)
			}
		} else {
			putAll(t, w.oss, "media", 60_000*n, day(n)...)
			w.waitForRun(t, "media", "daily")
			c = inventories.New(w.oss)
		}
		if run := wait("daily"); run.State != stocktake.Succeeded {
			t.Fatalf("%+v", run)
		}
	}
	cfg.ID, cfg.Destination.Bucket, cfg.Schedule.Frequency = "broken", "old-reports", stocktake.Weekly
	if err := c.Put(t.Context(), "media", cfg); err != nil {
		t.Fatal(err)
	}
	wait("broken")
	for o, err := range inventories.NewBucket(w.oss, "old-reports").Objects(t.Context(), "") {
		if err == nil {
			_, err = w.oss.DeleteObject(t.Context(), &oss.DeleteObjectRequest{Bucket: oss.Ptr("old-reports"), Key: o.Key})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.oss.DeleteBucket(t.Context(), &oss.DeleteBucketRequest{Bucket: oss.Ptr("old-reports")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context(), "media", "broken"); err != nil {
		t.Fatal(err)
	}
	if run := wait("broken"); run.State != stocktake.Failed {
		t.Fatalf("%+v", run)
	}
}

// waitForRun moves the server's clock to just before the next run of a configuration, so that
// the run takes its real duration, and waits until the run is recorded.
func (w *consoleWorld) waitForRun(t *testing.T, bucket, id string) {
	t.Helper()
	status, err := inventories.New(w.oss).Status(t.Context(), bucket, id)
	if err != nil || len(status) != 1 {
		t.Fatal(status, err)
	}
	due := status[0].Next
	now, err := w.admin.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.AdvanceClock(t.Context(), max(due.Sub(now)-100*time.Millisecond, 0)); err != nil {
		t.Fatal(err)
	}
	w.oss = ossOf(w.server) // a client corrects its clock only once
	c := inventories.New(w.oss)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(consolePatience); ; {
		runs, err := c.Runs(t.Context(), bucket, id)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) > 0 && !runs[0].Due.Before(due) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the run that is due at %v does not begin: %+v", due, runs)
		}
	}
}
