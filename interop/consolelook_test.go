package interop_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// sizes are the windows in which pages are looked at: that of a desk, and that of a
// phone.
var sizes = []struct {
	name          string
	width, height int64
}{{"wide", 1280, 860}, {"narrow", 390, 844}}

// maxPicture bounds a file of docs/images.
const maxPicture = 150 << 10

// look judges the page that is open, light and dark, wide and narrow: axe finds
// nothing serious, nothing is wider than the window, and nothing went wrong. With
// -screenshots it takes pictures.
func (b *chromium) look(t *testing.T, name string) {
	t.Helper()
	for _, size := range sizes {
		b.run(t, chromedp.EmulateViewport(size.width, size.height))
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

// judge has axe look at the page.
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

// picture writes what can be seen to docs/images.
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
