package console_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// hostile are names that clients may give to objects.
var hostile = []string{
	`<script>alert(1)</script>/x`,
	`"><img src=x onerror=alert(1)>/x`,
	`'onmouseover='alert(1)/x`,
	`</script><script>alert(2)</script>/x`,
	`{{.CSRF}}/x`,
	"\u202egnp.exe/x",
	"\u2066hidden\u2069/x",
	"line\nbreak\r\tand\x01control/x",
	"javascript:alert(1)/x",
	strings.Repeat("é", 511) + "/",
	strings.Repeat("z", 1023),
	"..%2f/../x?prefix=#/x",
}

var (
	tagPattern    = regexp.MustCompile(`<[a-zA-Z!/][^>]*>`)
	scriptPattern = regexp.MustCompile(`(?s)<script type="application/json">(.*?)</script>`)
	allowedTag    = regexp.MustCompile(`^</?(!doctype|html|head|meta|title|link|script|body|a|header|main|nav|footer|svg|path|rect|span|button|form|input|label|h[1-6]|p|section|aside|div|dl|dt|dd|ul|ol|li|table|caption|thead|tbody|tr|th|td|time|figure|figcaption|details|summary|pre|code|bdi|small|strong|br|progress|fieldset|legend)[\s/>]`)
	badAttribute  = regexp.MustCompile(`(?i)\s(on[a-z]+|style|srcdoc)\s*=|javascript:`)
	scriptTag     = regexp.MustCompile(`^<script (src="/assets/[a-z.-]+\?v=[0-9a-f]+" defer|type="application/json")>$`)
)

// checkMarkup fails the test if a page has markup that does not come from the
// templates, or that the policy of the page forbids.
func checkMarkup(t *testing.T, page string) {
	t.Helper()
	for _, m := range scriptPattern.FindAllStringSubmatch(page, -1) {
		if !json.Valid([]byte(m[1])) || strings.Contains(m[1], "<") {
			t.Errorf("data of a chart: %s", m[1])
		}
	}
	for _, tag := range tagPattern.FindAllString(scriptPattern.ReplaceAllString(page, ""), -1) {
		outside := regexp.MustCompile(`"[^"]*"|'[^']*'`).ReplaceAllString(tag, `""`)
		if !allowedTag.MatchString(strings.ToLower(tag)) || badAttribute.MatchString(outside) {
			t.Errorf("markup %q", tag)
		}
		if strings.HasPrefix(tag, "<script") && !scriptTag.MatchString(tag) {
			t.Errorf("script %q", tag)
		}
		for _, href := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(tag, -1) {
			if u, err := url.Parse(html.UnescapeString(href[1])); err != nil || u.Scheme != "" || u.Host != "" {
				t.Errorf("address %q", href[1])
			}
		}
	}
	// A field shows exactly the typed text.
	text := regexp.MustCompile(`<input[^>]* value="[^"]*"`).ReplaceAllString(page, "")
	for _, r := range "\u202e\u2066\x00\x01" {
		if strings.ContainsRune(text, r) {
			t.Errorf("the page has the character %U", r)
		}
	}
}

var linkPattern = regexp.MustCompile(`<a [^>]*href="([^"]*)"`)

// links returns the targets of a page's links.
func links(t *testing.T, path, page string) (links []*url.URL) {
	t.Helper()
	at, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range linkPattern.FindAllStringSubmatch(page, -1) {
		u, err := at.Parse(html.UnescapeString(m[1]))
		if err != nil {
			t.Errorf("%s leads to %q: %v", path, m[1], err)
			continue
		}
		u.Fragment = ""
		links = append(links, u)
	}
	return links
}

// TestHostileText shows hostile names on every page that shows names.
func TestHostileText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	b := w.signedIn(t, rootKey, rootSecret)
	w.put(t, "photos", hostile...)
	id := `<b onclick=x>"&'` + "\u202e" + `{{.}}`
	cfg := configuration(id)
	cfg.Filter.Prefix = ""
	run := w.inventory(t, cfg)
	report := strings.Split(run.Manifest, "/")[3]
	w.put(t, "photos", `<script>alert(3)</script>/new`)
	if _, err := w.client.Run(t.Context(), "photos", id); err != nil {
		t.Fatal(err)
	}
	base := "/buckets/photos/inventories/" + url.PathEscape(id)
	pages := []string{
		"/", "/buckets/photos", "/buckets/photos?find=%3Cscript%3E", "/buckets/photos/new", base, base + "/change", base + "/reports", base + "/runs/" + run.ID,
		base + "/reports/" + report, "/webhooks", "/webhooks?bucket=%3Cscript%3E&configuration=%22%3E", "/machines", "/sign-in?next=%22%3E%3Cscript%3E", "/buckets/%3Cscript%3E", "/open?bucket=%3Cscript%3E",
		base + "/reports/" + report + "?prefix=" + url.QueryEscape("<script>none"),
	}
	for _, key := range hostile {
		if i := strings.IndexByte(key, '/'); i > 0 && len(key) < 600 {
			pages = append(pages, base+"/reports/"+report+"?prefix="+url.QueryEscape(key[:i+1]))
		}
	}
	followed := map[string]bool{}
	for _, path := range pages {
		a := b.get(t, path)
		if a.status >= 500 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		checkMarkup(t, a.body)
		for _, link := range links(t, path, a.body) {
			if q := link.Query(); link.Path == "/webhooks" && q.Has("configuration") && q.Get("configuration") != id && q.Get("configuration") != `">` {
				t.Errorf("%s leads to the notices of configuration %q", path, q.Get("configuration"))
			}
			if to := link.String(); a.status == 200 && !followed[to] {
				followed[to] = true
				if got := b.get(t, to); got.status >= 400 {
					t.Errorf("%s leads to %s, which is answered by %d", path, to, got.status)
				}
			}
		}
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if a.header.Get(name) != value {
				t.Errorf("%s: %s: %s", path, name, a.header.Get(name))
			}
		}
		if csp := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: %s", path, csp)
		}
	}
	shown := b.see(t, base+"/reports/"+report)
	want(t, shown, `&lt;script&gt;alert(1)&lt;`, `\u{202e}gnp.exe/`, `line\u{a}break\u{d}\u{9}and\u{1}control/`, strings.Repeat("z", 1023))
	want(t, b.see(t, "/buckets/photos"), `&lt;b onclick=x&gt;&#34;&amp;&#39;\u{202e}{{.}}`)

	// In JSON the names are unchanged.
	var data struct {
		Totals struct {
			Prefixes []struct{ Prefix string }
			Largest  []struct{ Key string }
		}
	}
	if err := json.Unmarshal([]byte(b.see(t, base+"/reports/"+report+"?format=json")), &data); err != nil {
		t.Fatal(err)
	}
	found := fmt.Sprint(data.Totals.Prefixes)
	for _, p := range []string{"<script>alert(1)</", "\u202egnp.exe/", "line\nbreak\r\tand\x01control/"} {
		if !strings.Contains(found, p) {
			t.Errorf("%q is not among %s", p, found)
		}
	}
}
