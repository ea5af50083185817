package interop_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stocktake/stocktake"
	inventories "github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/internal/testserver"
)

// Hostile names of an object, of a configuration, and of a server.
const (
	hostileFolder  = `<img src=x onerror=faults.push(1)>/` + "\u202e" + `"'&{{.}}` + "</"
	hostileID      = `<img src=x onerror=faults.push(2)> & "quotes"`
	hostileMachine = `<b onclick=faults.push(3)>two</b>`
	hostileReason  = `<script>faults.push(4)</script>`
)

// TestConsoleOfMachines watches two servers on one database share a run. Bucket,
// keys, names and the messages of a store contain hostile text: every page shows it
// as plain text, and a prefix can be opened by keyboard.
func TestConsoleOfMachines(t *testing.T) {
	database := testpostgres.Start(t).Database(t)
	settings := hostileLake(t, t.TempDir())
	start := func(name string) *testserver.Server {
		return startConsole(t, testserver.Config{
			Data: filepath.Join(t.TempDir(), "data"), Console: "127.0.0.1:0",
			Args: []string{"--config", settings, "--database", database, "--migrate", "--name", name},
		})
	}
	s := start("one")
	start(hostileMachine)
	console, err := s.ConsoleURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := inventories.New(ossOf(s))
	cfg := stocktake.InventoryConfiguration{
		ID: hostileID, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Daily}, IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldStorageClass},
		Destination:    stocktake.Destination{Format: "CSV", AccountID: testserver.AccountID, RoleARN: roleARN, Bucket: "lake-reports"},
	}
	if err := c.Put(t.Context(), "lake-logs", cfg); err != nil {
		t.Fatal(err)
	}
	runs, err := c.Runs(t.Context(), "lake-logs", hostileID)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}

	b := newChromium(t)
	b.open(t, console+"/")
	b.signIn(t)
	b.waitFor(t, "lake-logs")
	b.open(t, console+"/machines")
	b.waitFor(t, hostileMachine)
	b.waitFor(t, "lake-logs / "+hostileID)
	b.until(t, "a part of the run can be seen with its machine", `document.querySelector('[aria-label="Parts of the run"] tbody td:nth-child(3)')?.innerText.match(/one|two/)`)
	b.look(t, "machines-several")
	base := console + "/buckets/lake-logs/inventories/" + url.PathEscape(hostileID)
	b.open(t, base+"/runs/"+runs[0].ID)
	b.waitFor(t, hostileID)
	b.look(t, "run-several")

	run, err := c.Wait(t.Context(), runs[0], nil)
	if err != nil || run.State != stocktake.Succeeded {
		t.Fatalf("%+v %v", run, err)
	}
	b.open(t, console+"/buckets/lake-logs")
	b.waitFor(t, hostileID)
	b.look(t, "bucket-hostile")
	b.open(t, base)
	b.waitFor(t, hostileID)
	b.look(t, "inventory-hostile")
	b.open(t, base+"/reports")
	b.press(t, "tbody th a")
	b.waitFor(t, "<img src=x onerror=faults.push(1)>")
	b.until(t, "the charts are drawn", `document.body.dataset.charts > 0`)
	b.look(t, "report-hostile")
	b.openByKeyboard(t, "#prefixes tbody th a")
	b.until(t, "a prefix is open", `location.search.includes("prefix=") && document.querySelectorAll(".path li").length == 2`)
	b.press(t, "#prefixes .switch a:last-child")
	b.until(t, "it is in another order", `location.search.includes("by=objects") && document.querySelectorAll(".path li").length == 2`)
	b.look(t, "prefix-hostile")

	// The answer of a store is shown as plain text as well.
	cfg.ID, cfg.OptionalFields = "refused", nil
	if err := c.Put(t.Context(), "evil-logs", cfg); err != nil {
		t.Fatal(err)
	}
	runs, err = c.Runs(t.Context(), "evil-logs", cfg.ID)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	if run, err := c.Wait(t.Context(), runs[0], nil); err != nil || run.State != stocktake.Failed {
		t.Fatalf("%+v %v", run, err)
	}
	b.open(t, console+"/buckets/evil-logs/inventories/refused/runs/"+runs[0].ID)
	b.waitFor(t, hostileReason)
	b.look(t, "failure-hostile")
}

// openByKeyboard moves the focus with Tab to the element of a selector, and presses
// Enter.
func (b *chromium) openByKeyboard(t *testing.T, selector string) {
	t.Helper()
	for range 100 {
		b.run(t, chromedp.KeyEvent("\t"))
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.activeElement.matches('`+selector+`')`))
		if err != nil {
			t.Fatal(err)
		}
		if at {
			b.run(t, chromedp.KeyEvent("\r"))
			return
		}
	}
	t.Fatalf("a hundred times Tab do not lead to %s", selector)
}

// hostileLake starts a store with the buckets lake-logs and lake-reports, and a store
// that refuses all requests with a hostile message. It returns the settings of a
// server that sends requests to the first store slowly enough for its runs to be
// watched.
func hostileLake(t *testing.T, dir string) (settings string) {
	t.Helper()
	settings = slowLake(t, dir, 6000, hostileFolder+"a.log", hostileFolder+"b.log")
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<Error><Code>AccessDenied</Code><Message>&lt;script&gt;faults.push(4)&lt;/script&gt;</Message></Error>`))
	}))
	t.Cleanup(evil.Close)
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	lake := strings.NewReplacer("requests-per-second: 0.4", "requests-per-second: 1", "concurrency: 1", "concurrency: 2").Replace(string(text))
	lake += "  - {name: evil, kind: oss, endpoint: \"" + evil.URL + "\", region: " + testserver.Region + ", credentials: {file: " + filepath.Join(dir, "far-key.yaml") + `}, roles: {"*": default}, buckets: [evil-logs]}` + "\n"
	if err := os.WriteFile(settings, []byte(lake), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings
}
