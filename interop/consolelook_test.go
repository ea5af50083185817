package interop_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// sizes are the sizes of windows in which pages are checked: a desktop and a phone.
var sizes = []struct {
	name          string
	width, height int64
}{{"wide", 1280, 860}, {"narrow", 390, 844}}

// maxPicture bounds a file of docs/images.
const maxPicture = 150 << 10

// look checks the open page, light and dark, wide and narrow: axe finds nothing serious,
// nothing is wider than the window, and there was no error. With -screenshots it takes
// pictures.
func (b *chromium) look(t *testing.T, name string) {
	t.Helper()
	for _, size := range sizes {
		b.run(t, chromedp.EmulateViewport(size.width, size.height), chromedp.Evaluate[chromedp.Void](`scrollTo({ top: 0, behavior: "instant" })`))
		for _, theme := range []string{"light", "dark"} {
			b.run(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { document.documentElement.dataset.theme = %q; window.dispatchEvent(new Event("themechange")); })()`, theme)))
			what := name + "-" + theme + "-" + size.name
			b.judge(t, what)
			if *screenshots {
				b.picture(t, what)
			}
		}
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`delete document.documentElement.dataset.theme; window.dispatchEvent(new Event("themechange"))`),
		chromedp.EmulateViewport(sizes[0].width, sizes[0].height))
	faults, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`window.faults`))
	if err != nil || len(faults) > 0 {
		t.Errorf("%s: %v %q", name, err, faults)
	}
}

// judge runs axe on the page.
func (b *chromium) judge(t *testing.T, what string) {
	t.Helper()
	loaded, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`typeof axe != "undefined"`))
	if err == nil && !loaded {
		err = chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](b.axe+";undefined"))
	}
	if err != nil {
		t.Fatal(err)
	}
	type finding struct {
		ID, Impact, Help string
		Where            []string
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]finding](`axe.run({ resultTypes: ["violations"] }).then((r) => r.violations.map((v) => (
		{ ID: v.id, Impact: v.impact, Help: v.help, Where: v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + " " + (n.failureSummary || "").slice(0, 300)) })))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Impact == "serious" || f.Impact == "critical" {
			t.Errorf("%s: %s (%s): %s\n%q", what, f.ID, f.Impact, f.Help, f.Where)
		} else {
			t.Logf("%s: %s (%s): %s %q", what, f.ID, f.Impact, f.Help, f.Where)
		}
	}
	wider, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
	if err != nil || wider > 0 {
		t.Errorf("%s: it is %d pixels wider than the window (%v)", what, wider, err)
	}
}

// useWebhooks tests a receiver, sends it a notice again, and drops a notice for
// another receiver, which does not answer.
func (b *chromium) useWebhooks(t *testing.T, w *consoleWorld) {
	t.Helper()
	row := func(event, state string) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#notices tbody tr")].some((r) => r.innerText.includes(%q) && r.innerText.includes(%q))`, event, state)
	}
	b.open(t, w.console+"/webhooks")
	b.waitFor(t, "Given up")
	for len(w.told) > 0 { // of runs
		<-w.told
	}
	b.press(t, `[aria-label="Send a test to audit"]`)
	b.until(t, "the test is delivered, and the page says so by itself", row("test", "delivered"))
	first := w.hears(t)
	b.look(t, "webhooks")
	b.open(t, w.console+"/webhooks?state=delivered")
	b.press(t, `#notices form[action="/webhooks/retry"] button`)
	if again := w.hears(t); again != first {
		t.Errorf("the receiver was told %s, and then %s", first, again)
	}
	b.waitFor(t, "newest 200")
	b.until(t, "the page shows delivered notices still", `location.search == "?state=delivered"`)

	if _, err := w.admin.TestWebhook(t.Context(), "ops"); err != nil {
		t.Fatal(err)
	}
	b.open(t, w.console+"/webhooks?state=waiting")
	b.until(t, "a notice waits", row("ops", "test"))
	before, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.querySelectorAll("#notices tbody tr").length`))
	if err != nil {
		t.Fatal(err)
	}
	b.press(t, `#notices form[action="/webhooks/drop"] button`)
	b.until(t, "the notice is gone", fmt.Sprintf(`location.search == "?state=waiting" && document.querySelectorAll("#notices tbody tr").length == %d`, before-1))
}

// hears returns the next notice that the receiver "audit" receives.
func (w *consoleWorld) hears(t *testing.T) string {
	t.Helper()
	select {
	case notice := <-w.told:
		return notice
	case <-time.After(consolePatience):
		t.Fatal("the receiver is told nothing")
		return ""
	}
}

// address returns the address that the browser shows.
func (b *chromium) address(t *testing.T) string {
	t.Helper()
	url, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href`))
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// picture writes a screenshot to docs/images.
func (b *chromium) picture(t *testing.T, what string) {
	t.Helper()
	b.until(t, "nothing moves", `!document.getAnimations().some((a) => a.playState == "running")`)
	b.run(t, chromedp.Evaluate[chromedp.Void](`new Promise((done) => setTimeout(done, 400))`, chromedp.EvalAwaitPromise)) // charts fade in
	shot, err := chromedp.Run(b.ctx, func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		format, quality := page.CaptureScreenshotFormatWebp, int64(82)
		r, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: format, Quality: &quality})
		return r.Data, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(shot) > maxPicture {
		t.Errorf("%s has %d bytes, more than %d", what, len(shot), maxPicture)
	}
	if err := os.WriteFile(filepath.Join("..", "docs", "images", what+".webp"), shot, 0o644); err != nil {
		t.Fatal(err)
	}
}
