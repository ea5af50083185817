package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/stocktaketest"
)

// scrape gets a path of a server with a bearer token; an empty token sends none.
func scrape(t *testing.T, url, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func families(t *testing.T, text, pattern string) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestMetricsAreDocumented compares the metrics of a server, all of whose parts have been used,
// with docs/metrics.md. It names a metric that is missing in either.
func TestMetricsAreDocumented(t *testing.T) {
	far := stocktaketest.New(t, stocktaketest.WithBuckets("lake-photos", "lake-reports"))
	put(t, far, "lake-photos", "a", "b")
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	s := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"), withStores(lake(t, far)), func(c *server.Config) {
		c.MetricsConfigurations = 10
		c.AccessLog = filepath.Join(t.TempDir(), "access.log")
		c.Webhooks = map[string]string{"ops": hook.URL}
	})
	put(t, s, "photos", "cat")
	firstRun(t, s, "photos", configuration(s, "daily", "reports"))
	if r := firstRun(t, s, "lake-photos", configuration(s, "far", "lake-reports")); r.Reason != "" {
		t.Fatal(r.Reason)
	}

	var text string
	for !strings.Contains(text, "stocktake_notice_deliveries_total{") { // the webhook is called after the run has ended
		if t.Context().Err() != nil {
			t.Fatal("no notice was delivered")
		}
		_, text = scrape(t, s.Endpoint+"/-/metrics", "")
	}
	// A configuration with incremental reports comes last: a window may end at any time.
	changes := configuration(s, "changes", "reports")
	changes.IncludedObjectVersions = stocktake.AllVersions
	changes.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
	if err := s.Inventories().Put(t.Context(), "photos", changes); err != nil {
		t.Fatal(err)
	}
	_, later := scrape(t, s.Endpoint+"/-/metrics", "")
	docs, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	served, documented := families(t, text+later, `(?m)^# TYPE (\S+) `), families(t, string(docs), "(?m)^\\| `([a-z_]+)")
	for _, name := range served {
		if strings.HasPrefix(name, "stocktake_") && !slices.Contains(documented, name) {
			t.Errorf("%s is served and not documented", name)
		}
	}
	// Metrics of events that have not happened, and of databases and TLS, which this server
	// does not use.
	rare := []string{"stocktake_tls_certificate_start_timestamp_seconds", "stocktake_tls_certificate_expiry_timestamp_seconds", "stocktake_runs_ended_late_total", "stocktake_machine_slices_max", "stocktake_accounts_age_seconds", "stocktake_accounts_settings_differ", "stocktake_accounts_version"}
	for _, name := range documented {
		if !slices.Contains(served, name) && !slices.Contains(rare, name) {
			t.Errorf("%s is documented and not served", name)
		}
	}
	for _, want := range []string{
		`stocktake_configuration_report_objects{bucket="lake-photos",configuration="far"} 2`,
		`stocktake_store_requests_total{operation="list",store="lake"}`,
		`stocktake_store_requests_total{operation="put",store="lake"}`,
		`stocktake_runs_total{kind="full",state="succeeded",trigger="first"} 2`,
		`stocktake_run_listed_objects_total 3`,
		`stocktake_configurations 2`,
		`go_goroutines `, `process_resident_memory_bytes `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no line %s", want)
		}
	}
	if strings.Contains(text, "promhttp_metric_handler_errors_total{cause=\"gathering\"} 1") {
		t.Error("something could not be read")
	}
}

// Only callers who may read the metrics see the names of buckets.
func TestMetricsHideNames(t *testing.T) {
	s := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"))
	put(t, s, "photos", "cat")
	firstRun(t, s, "photos", configuration(s, "daily", "reports"))
	status, text := scrape(t, s.Endpoint+"/-/metrics", "")
	if status != 200 || strings.Contains(text, "photos") || !strings.Contains(text, "\nstocktake_configurations 1\n") || !strings.Contains(text, "\nstocktake_configurations_shown 0\n") {
		t.Errorf("status %d:\n%s", status, text)
	}
}

func TestMetricsToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("too short\n")
	cfg := server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", MetricsTokenFile: file, MetricsListen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
	if err := server.Check(cfg); err == nil || !strings.Contains(err.Error(), "metrics-token-file: ") {
		t.Fatalf("a short token: %v", err)
	}
	write(strings.Repeat("first ", 3) + "\n")
	s := serve(t, cfg)
	first := strings.TrimSpace(strings.Repeat("first ", 3))
	for _, tt := range []struct {
		token  string
		status int
	}{{"", 401}, {"other", 401}, {first + "x", 401}, {first, 200}} {
		if status, _ := scrape(t, s.MetricsURL(), tt.token); status != tt.status {
			t.Errorf("token %q: status %d, want %d", tt.token, status, tt.status)
		}
	}
	write("second-second-second")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if status, _ := scrape(t, s.MetricsURL(), first); status != 401 {
		t.Errorf("the old token: status %d", status)
	}
	if status, _ := scrape(t, s.MetricsURL(), "second-second-second"); status != 200 {
		t.Errorf("the new token: status %d", status)
	}
	write("") // if the new one cannot be read, the old one stays in force
	if err := s.Reload(); err == nil {
		t.Error("an empty token was read")
	}
	if status, _ := scrape(t, s.MetricsURL(), "second-second-second"); status != 200 {
		t.Errorf("after a token that cannot be read: status %d", status)
	}
}

// With a listener of their own, the metrics are not on other listeners, and that listener has
// no other paths.
func TestMetricsListener(t *testing.T) {
	s := serve(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	own := strings.TrimSuffix(s.MetricsURL(), "/-/metrics")
	if own == s.Endpoint() {
		t.Fatal("both have one address")
	}
	for url, want := range map[string]int{
		own + "/-/metrics": 200, own + "/-/healthz": 200, own + "/-/readyz": 200, own + "/": 404, own + "/photos/cat": 404, own + "/-/notices": 404,
		s.Endpoint() + "/-/metrics": 404, s.Endpoint() + "/-/healthz": 200,
	} {
		if status, _ := scrape(t, url, ""); status != want {
			t.Errorf("%s: status %d, want %d", url, status, want)
		}
	}
}

// serve serves a server until the end of the test.
func serve(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}
