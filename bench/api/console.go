package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
)

// Console measures the pages of the console: with many configurations, and
// with two reports of a large bucket, for one person after a minute of others.
func Console(ctx context.Context, args []string) error {
	b := &consoleBench{Experiment: experiment.New("console", "folder for the store, which is removed in the end")}
	objects := experiment.Set(b.Flags, "objects", "10000000", "objects in the bucket of the reports", experiment.AtLeast(1))
	configurations := experiment.Set(b.Flags, "configurations", "1000", "configurations of that bucket, 1000 at most", experiment.AtLeast(1))
	count := experiment.Set(b.Flags, "count", "50", "how often each page is measured; the median counts", experiment.AtLeast(3))
	return b.Main(ctx, args, func(ctx context.Context) (err error) {
		l, err := lakeserver.NewStore(ctx, b.Experiment, *objects)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.Remove()) }()
		server, err := testserver.Start(ctx, testserver.Config{Binary: l.Binary, Data: l.Data, Console: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Stop()) }()
		s := &lakeserver.Server{CLI: lakeserver.CLI{Binary: l.Binary, Server: server}, Store: l}
		if b.base, err = server.ConsoleURL(ctx); err != nil {
			return err
		}
		if err := b.prepare(ctx, s, min(*configurations, stocktake.MaxInventories)); err != nil {
			return err
		}
		return b.measure(ctx, *count)
	})
}

type consoleBench struct {
	*experiment.Experiment
	base    string // URL of the console
	browser *http.Client
	reports []string // names of their directories
	run     string   // id of the newest
}

// prepare makes the configurations and two reports, and signs in.
func (b *consoleBench) prepare(ctx context.Context, s *lakeserver.Server, configurations int) error {
	if err := s.Configure(ctx); err != nil {
		return err
	}
	for range 2 {
		i, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		b.reports = append(b.reports, path.Base(path.Dir(i.Manifest)))
		b.run = i.ID
	}
	c := client.New(s.Client())
	cfg, err := c.Get(ctx, lakeserver.Bucket, "bench")
	if err != nil {
		return err
	}
	g, put := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range configurations - 1 {
		other := cfg.Clone()
		other.ID = fmt.Sprintf("inventory-%04d", i)
		other.IsEnabled = true
		other.Filter.Prefix = other.ID + "/" // its run ends soon
		g.Go(func() error { return c.Put(put, lakeserver.Bucket, other) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := waitForRuns(ctx, c); err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	b.browser = &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}}
	form := url.Values{"key": {testserver.AccessKeyID}, "secret": {testserver.AccessKeySecret}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	_, _, err = b.do(r)
	return err
}

// waitForRuns waits until no run of the bucket is in progress, so that pages are
// measured on an otherwise idle server.
func waitForRuns(ctx context.Context, c *client.Client) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := c.Status(ctx, lakeserver.Bucket, "")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(s stocktake.InventoryStatus) bool { return s.Last == nil || !s.Last.State.Ended() }) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// do sends a request as a browser does, and returns the answer as it was sent.
func (b *consoleBench) do(r *http.Request) (body []byte, took time.Duration, err error) {
	start := time.Now()
	resp, err := b.browser.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	took = time.Since(start)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", r.URL.Path, resp.Status, body)
	}
	return body, took, err
}

func (b *consoleBench) get(ctx context.Context, path, encoding string) (body []byte, took time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Accept-Encoding", encoding)
	return b.do(r)
}

var assetPattern = regexp.MustCompile(`/assets/[^"]+`)

func (b *consoleBench) measure(ctx context.Context, count int) error {
	const inventory = "/buckets/" + lakeserver.Bucket + "/inventories/bench"
	newest := inventory + "/reports/" + b.reports[1]
	prefix, err := b.largestPrefix(ctx, newest)
	if err != nil {
		return err
	}
	var slowest time.Duration
	for _, p := range []struct{ name, path string }{
		{"Buckets", "/"},
		{"Bucket", "/buckets/" + lakeserver.Bucket},
		{"BucketFind", "/buckets/" + lakeserver.Bucket + "?find=0999"},
		{"Inventory", inventory},
		{"Change", inventory + "/change"},
		{"Run", inventory + "/runs/" + b.run},
		{"Form", "/buckets/" + lakeserver.Bucket + "/new"},
		{"Reports", inventory + "/reports"},
		{"Report", newest},
		{"ReportByObjects", newest + "?by=objects"},
		{"ReportPrefix", newest + "?prefix=" + url.QueryEscape(prefix)},
		{"ReportJSON", newest + "?format=json"},
		{"Compare", newest + "/compare?with=" + b.reports[0]},
		{"Machines", "/machines"},
		{"Webhooks", "/webhooks"},
	} {
		plain, _, err := b.get(ctx, p.path, "identity")
		if err != nil {
			return err
		}
		weight, err := b.weigh(ctx, p.path, string(plain))
		if err != nil {
			return err
		}
		var all []time.Duration
		for range count {
			_, took, err := b.get(ctx, p.path, "gzip")
			if err != nil {
				return err
			}
			all = append(all, took)
		}
		median := measure.Median(all)
		slowest = max(slowest, median)
		b.Add("Page/"+p.name, median, measure.Figure{Value: float64(slices.Max(all).Milliseconds()), Unit: "max-ms"},
			measure.Figure{Value: float64(weight) / 1000, Unit: "kB-compressed"})
		if p.name == "Buckets" {
			b.AddRatio("first-page", float64(weight)/1000, "kB of the first page with all that it loads, compressed; at most 400")
		}
	}
	b.AddRatio("slowest-page", float64(slowest.Microseconds())/1000, "milliseconds at the median of the slowest page; at most 50")
	return nil
}

// largestPrefix returns the prefix with the most bytes of a report.
func (b *consoleBench) largestPrefix(ctx context.Context, path string) (string, error) {
	body, _, err := b.get(ctx, path+"?format=json", "identity")
	if err != nil {
		return "", err
	}
	var page struct {
		Totals struct{ Prefixes []struct{ Prefix string } }
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if len(page.Totals.Prefixes) == 0 {
		return "", fmt.Errorf("%s has no prefixes", path)
	}
	return page.Totals.Prefixes[0].Prefix, nil
}

// weigh returns the bytes of a page and of what it loads, compressed.
func (b *consoleBench) weigh(ctx context.Context, path, plain string) (bytes int, err error) {
	seen := map[string]bool{path: true}
	for _, asset := range assetPattern.FindAllString(plain, -1) {
		seen[asset] = true
	}
	for each := range seen {
		body, _, err := b.get(ctx, each, "gzip")
		if err != nil {
			return 0, err
		}
		bytes += len(body)
	}
	return bytes, nil
}
