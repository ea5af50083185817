package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A chromium is a browser tab.
type chromium struct {
	ctx context.Context
	axe string // its source
}

// patience is the timeout for a page to show an expected content.
const consolePatience = 30 * time.Second

func newChromium(t *testing.T) *chromium {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("chromium is missing (Debian: apt-get install chromium)")
	}
	axe, err := os.ReadFile(filepath.Join(npmInstall(t, "axe"), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &chromium{ctx, string(axe)}
	b.run(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			window.faults = [];
			addEventListener("securitypolicyviolation", (e) => faults.push("policy: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));
			addEventListener("error", (e) => faults.push("error: " + (e.message || e.target.src)), true);
			addEventListener("unhandledrejection", (e) => faults.push("rejection: " + e.reason));`})
		return err
	}))
	return b
}

func (b *chromium) run(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// open goes to a page.
func (b *chromium) open(t *testing.T, url string) { t.Helper(); b.run(t, chromedp.Navigate(url)) }

// press clicks the first element of a selector when it is visible.
func (b *chromium) press(t *testing.T, selector string) {
	t.Helper()
	b.clickInto(t, selector, 0.5)
}

// clickInto clicks into the first element of a selector once it can be seen, at a
// share of its width and height. The page finds the element and its place in one
// step, since a page that shows progress replaces its elements at any time.
func (b *chromium) clickInto(t *testing.T, selector string, share float64) {
	t.Helper()
	find := fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		if (!e || e.getClientRects().length == 0) return [];
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect();
		return [r.x + r.width * %g, r.y + r.height * %[2]g];
	})()`, selector, share)
	var place []float64
	b.poll(t, selector+" can be seen", func() (ok bool, err error) {
		place, err = chromedp.Run(b.ctx, chromedp.Evaluate[[]float64](find))
		return len(place) == 2, err
	})
	b.run(t, chromedp.MouseClickXY(place[0], place[1]))
}

// typeInto replaces the content of a field by text, key by key.
func (b *chromium) typeInto(t *testing.T, selector, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, consolePatience)
	defer cancel()
	clear := chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).value = ""`, selector))
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(selector)), clear, chromedp.SendKeys(chromedp.CSS(selector), text)); err != nil {
		t.Fatalf("type into %s: %v\n%s", selector, err, b.text(t))
	}
}

// text returns the text that the page shows.
func (b *chromium) text(t *testing.T) string {
	t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return err.Error()
	}
	return text
}

// waitFor waits until the page shows a text.
func (b *chromium) waitFor(t *testing.T, text string) {
	t.Helper()
	b.until(t, fmt.Sprintf("%q can be read", text), fmt.Sprintf("document.body && document.body.innerText.includes(%q)", text))
}

// until waits until an expression is true.
func (b *chromium) until(t *testing.T, what, expression string) {
	t.Helper()
	b.poll(t, what, func() (bool, error) {
		return chromedp.Run(b.ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
	})
}

// poll repeats a question until the answer is yes.
func (b *chromium) poll(t *testing.T, what string, ask func() (bool, error)) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(consolePatience)
	for {
		ok, err := ask()
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			faults, _ := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`window.faults`))
			t.Fatalf("it is not so that %s: %v %q\n%s", what, err, faults, b.text(t))
		}
	}
}

// clickCanvas clicks into the upper left of a canvas, where a treemap has its
// largest area.
func (b *chromium) clickCanvas(t *testing.T, selector string) {
	t.Helper()
	b.clickInto(t, selector, 0.25)
}
