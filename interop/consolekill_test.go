package interop_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	inventories "github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"

	"github.com/stocktake/stocktake"
)

// TestConsoleServerEnds watches a run in a real Chromium while the server hangs, is
// killed and starts again. Each time the page reports it, asks the person to sign in,
// returns to the run and follows it to its end.
func TestConsoleServerEnds(t *testing.T) {
	dir := t.TempDir()
	settings := slowLake(t, dir, 3000)
	// An address of the test's own: a port that is free there stays free while the
	// server is down.
	cfg := testserver.Config{Data: filepath.Join(dir, "here"), Console: "127.77.0.2:0", Args: []string{"--config", settings, "--bucket", "reports"}}
	s := startConsole(t, cfg)
	console, err := s.ConsoleURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newChromium(t)
	b.open(t, console+"/")
	b.signIn(t)
	b.waitFor(t, "lake-logs")
	c := inventories.New(ossOf(s))
	if err := c.Put(t.Context(), "lake-logs", stocktake.InventoryConfiguration{
		ID: "hourly", IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Daily}, IncludedObjectVersions: stocktake.CurrentVersions,
		Destination: stocktake.Destination{Format: "CSV", AccountID: testserver.AccountID, RoleARN: roleARN, Bucket: "reports"},
	}); err != nil {
		t.Fatal(err)
	}
	runs, err := c.Runs(t.Context(), "lake-logs", "hourly")
	if err != nil || len(runs) == 0 {
		t.Fatal(runs, err)
	}
	run := console + "/buckets/lake-logs/inventories/hourly/runs/" + runs[0].ID
	b.open(t, run)
	b.until(t, "the run is on its way", `document.querySelector("#live .stats dd").textContent != "0"`)

	if err := syscall.Kill(s.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.waitFor(t, "The server does not answer")
	if err := syscall.Kill(s.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.waitFor(t, "The server answers again")

	s.Kill()
	b.waitFor(t, "The server does not answer. What the page shows may be out of date. It tries again by itself.")
	cfg.Console = strings.TrimPrefix(console, "http://")
	startConsole(t, cfg)
	b.waitFor(t, "You are not signed in any more")
	b.judge(t, "a page whose server was started again")
	b.press(t, "#trouble a")
	b.waitFor(t, "Access key secret")
	b.signIn(t)
	b.until(t, "the person is back at the run", `location.href == "`+run+`"`)
	b.waitFor(t, "Open the report")
	b.waitFor(t, "succeeded")
}

// signIn fills in the form of the page that is open.
func (b *chromium) signIn(t *testing.T) {
	t.Helper()
	b.typeInto(t, "#key", testserver.AccessKeyID)
	b.typeInto(t, "#secret", testserver.AccessKeySecret)
	b.press(t, "main button")
}
