package systemtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/testserver"
)

// A person uses the console like a browser without scripts.
type person struct {
	http.Client
	base string
	csrf string // of the page seen last
}

var csrfPattern = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// do loads a page, or submits its form if form is set.
func (p *person) do(t *testing.T, path string, form url.Values) (status int, body string) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
		form.Set("csrf", p.csrf)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, p.base+path, strings.NewReader(form.Encode()))
	check(t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", p.base)
	}
	resp, err := p.Do(r)
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	if m := csrfPattern.FindSubmatch(text); m != nil {
		p.csrf = string(m[1])
	}
	return resp.StatusCode, string(text)
}

// A form that is submitted while the disk is full changes nothing, shows the reason, and keeps
// what was entered. Pages can always be read. Once there is free space, the same form works.
func TestConsoleOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "60m")
	data := filepath.Join(disk, "data")
	path, err := binary()
	check(t, err)
	s, err := testserver.Start(t.Context(), testserver.Config{Binary: path, Data: data, Console: "127.0.0.1:0", Args: []string{"--bucket", "photos", "--bucket", "reports"}})
	check(t, err)
	t.Cleanup(s.Kill)
	base, err := s.ConsoleURL(t.Context())
	check(t, err)
	jar, err := cookiejar.New(nil)
	check(t, err)
	p := &person{Client: http.Client{Jar: jar}, base: base}
	if status, body := p.do(t, "/sign-in", url.Values{"key": {testserver.AccessKeyID}, "secret": {testserver.AccessKeySecret}}); status != http.StatusOK || !strings.Contains(body, "Sign out") {
		t.Fatalf("sign in: %d %s", status, body)
	}
	const destination = "Destination/OSSBucketDestination/"
	form := url.Values{
		"Id": {"daily"}, "IsEnabled": {"true"}, "IncludedObjectVersions": {"Current"}, "OptionalFields/Field": {"Size"}, "Schedule/Frequency": {"Daily"},
		destination + "Format": {"CSV"}, destination + "Bucket": {"reports"}, destination + "Prefix": {"kept-as-typed"},
		destination + "AccountId": {testserver.AccountID}, destination + "RoleArn": {"acs:ram::" + testserver.AccountID + ":role/writer"},
	}
	inventories := func() (n int) {
		status, body := p.do(t, "/buckets/photos?format=json", nil)
		var page struct{ All int }
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			t.Fatalf("%d %v %s", status, err, body)
		}
		return page.All
	}

	rest := filler{filepath.Join(disk, "rest")}
	check(t, os.Remove(filepath.Join(data, "ballast")))
	check(t, rest.fill())
	// SQLite can still save what fits into its log, so its disk must be full, too.
	kept := 0
	for {
		form.Set("Id", "daily-"+string(rune('a'+kept)))
		status, body := p.do(t, "/buckets/photos/new", form)
		if status == http.StatusOK && kept < 20 {
			kept++
			check(t, rest.fill())
			continue
		}
		for _, part := range []string{"It was not saved: The disk of this server is full", "kept here", `value="kept-as-typed"`, `role="alert"`} {
			if !strings.Contains(body, part) {
				t.Errorf("the page does not say %q", part)
			}
		}
		if status != http.StatusInsufficientStorage {
			t.Fatalf("%d %s", status, body)
		}
		break
	}
	if n := inventories(); n != kept {
		t.Errorf("%d configurations, want %d: the form that was refused left something", n, kept)
	}
	for _, page := range []string{"/", "/buckets/photos", "/buckets/photos/new", "/machines", "/webhooks"} {
		if status, body := p.do(t, page, nil); status != http.StatusOK {
			t.Errorf("%s on the full disk: %d %s", page, status, body)
		}
	}

	check(t, rest.remove())
	if status, body := p.do(t, "/buckets/photos/new", form); status != http.StatusOK || !strings.Contains(body, form.Get("Id")) {
		t.Errorf("with room again: %d %s", status, body)
	}
	if n := inventories(); n != kept+1 {
		t.Errorf("%d configurations, want %d", n, kept+1)
	}
	p.CloseIdleConnections()
	check(t, s.Stop())
}
