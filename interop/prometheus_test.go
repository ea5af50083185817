package interop_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake/internal/testserver"
)

const (
	rulesFile     = "../deploy/prometheus/alerts.yaml"
	dashboardFile = "../deploy/grafana/stocktake.json"
)

// ruleTests are the unit tests of the rules.
var ruleTests = []string{"../deploy/prometheus/alerts_test.yaml", "../deploy/prometheus/alerts_months_test.yaml"}

// prometheusTool returns the path of a program of Debian's package prometheus.
func prometheusTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install prometheus", err)
	}
	return path
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An alert is a rule of deploy/prometheus/alerts.yaml.
type alert struct {
	Alert, Expr string
	Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(readFile(t, rulesFile)), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestAlertRules runs the unit tests of the rules. Each rule has a test in which it
// fires, and a section in the docs that says what to do.
func TestAlertRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", rulesFile}, append([]string{"test", "rules"}, ruleTests...)} {
		if out, err := exec.CommandContext(t.Context(), prometheusTool(t, "promtool"), args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	fires := map[string]bool{}
	for _, path := range ruleTests {
		var file struct {
			Tests []struct {
				Rules []struct {
					Alert string `yaml:"alertname"`
					Fires []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(readFile(t, path)), &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.Tests {
			for _, r := range test.Rules {
				fires[r.Alert] = fires[r.Alert] || len(r.Fires) > 0
			}
		}
	}
	docs := readFile(t, "../docs/operating.md")
	for _, a := range alerts(t) {
		if !fires[a.Alert] {
			t.Errorf("no test in %v has %s fire", ruleTests, a.Alert)
		}
		if a.Annotations["runbook"] != "docs/operating.md#"+strings.ToLower(a.Alert) || !strings.Contains(docs, "\n#### "+a.Alert+"\n") {
			t.Errorf("%s has no section in docs/operating.md that its runbook names", a.Alert)
		}
	}
}

// queries returns the queries of the dashboard with values for its variables, and
// those of the alerts.
func queries(t *testing.T) (all []string) {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	//lint:ignore SA1019 The file has the classic form, which every Grafana imports.
	var d dashboard.Dashboard
	err := d.UnmarshalJSONStrict([]byte(readFile(t, dashboardFile)))
	if found, ok := errors.AsType[cog.BuildErrors](err); err != nil && (!ok || len(found) > 0) { // the SDK returns an empty list as an error
		t.Fatalf("%s: %v", dashboardFile, err)
	}
	var file struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &file); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*", "$bucket", ".*")
	for _, p := range file.Panels {
		for _, target := range p.Targets {
			all = append(all, values.Replace(target.Expr))
		}
	}
	for _, a := range file.Annotations.List {
		all = append(all, values.Replace(a.Expr))
	}
	if len(all) < 50 {
		t.Fatalf("the dashboard has %d queries", len(all))
	}
	for _, a := range alerts(t) {
		all = append(all, a.Expr)
	}
	return all
}

var metricName = regexp.MustCompile(`\b(stocktake|go|process)_[a-z_]+`)

// A prometheus is a Prometheus that scrapes a server.
type prometheus struct{ url string }

// startPrometheus runs Prometheus with the rules of deploy/ on a scrape of target.
func startPrometheus(t *testing.T, target, token string) *prometheus {
	t.Helper()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n"+
		"  - {job_name: stocktake, metrics_path: /-/metrics, authorization: {credentials: %q}, static_configs: [{targets: [%q]}]}\n", rules, token, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(prometheusTool(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	said := make(chan string, 1)
	go func() {
		var all strings.Builder
		for s := bufio.NewScanner(log); s.Scan(); {
			fmt.Fprintln(&all, s.Text())
			if _, a, ok := strings.Cut(s.Text(), `msg="Listening on" address=`); ok {
				address <- a
			}
		}
		close(address)
		said <- all.String()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		text := <-said
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("prometheus ended: %v\n%s", err, text)
		}
	})
	a := <-address
	if a == "" {
		t.Fatal("prometheus does not listen")
	}
	return &prometheus{"http://" + a}
}

// get requests a path of the API of Prometheus and decodes the data of a successful answer.
func (p *prometheus) get(t *testing.T, path string, data any) error {
	t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %w: %.200s", resp.Status, err, body)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", resp.Status, answer.Error)
	}
	return nil
}

// until repeats a query, because Prometheus scrapes once a second, until the answer has a
// value.
func until(t *testing.T, what string, answered func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !answered(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("after a minute: " + what)
		}
	}
}

// TestPrometheus lets a real Prometheus scrape the real server with the rules loaded.
// Each query of the dashboard and of the alerts works there, and the server serves
// each metric that they name.
func TestPrometheus(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := testserver.Start(t.Context(), testserver.Config{
		Binary: build(t), Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--metrics-token-file", token},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	checkMetrics(t, s.URL()+"/-/metrics", "a-token-of-tests")
	p := startPrometheus(t, s.Addr, "a-token-of-tests")
	until(t, "the server is not scraped", func() bool {
		var data struct{ Result []any }
		return p.get(t, "/api/v1/query?query="+url.QueryEscape(`up{job="stocktake"} == 1`), &data) == nil && len(data.Result) == 1
	})
	var names []string
	if err := p.get(t, "/api/v1/label/__name__/values", &names); err != nil {
		t.Fatal(err)
	}
	var groups struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	loaded := 0
	until(t, "the rules have not been evaluated", func() bool {
		loaded = 0
		if err := p.get(t, "/api/v1/rules", &groups); err != nil {
			return false
		}
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					loaded++
				}
			}
		}
		return loaded == len(alerts(t))
	})

	documented := regexp.MustCompile("(?m)^\\| `(stocktake_[a-z_]+)").FindAllStringSubmatch(readFile(t, "../docs/metrics.md"), -1)
	var known []string
	for _, m := range documented {
		known = append(known, m[1])
	}
	for _, name := range names { // of the series of histograms, and of Go
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	for _, name := range []string{"stocktake_disk_free_bytes", "stocktake_build_info", "stocktake_configurations", "go_goroutines"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s was not scraped", name)
		}
	}
	for _, q := range queries(t) {
		var data struct{ ResultType string }
		if err := p.get(t, "/api/v1/query?query="+url.QueryEscape(q), &data); err != nil {
			t.Errorf("%s\n%v", q, err)
		}
		for _, name := range metricName.FindAllString(q, -1) {
			base := strings.TrimSuffix(name, "_bucket")
			if !slices.Contains(known, base) && !slices.Contains(known, name) {
				t.Errorf("no server serves %s, which is in\n%s", name, q)
			}
		}
	}
}

// checkMetrics checks the metrics of a server with promtool: names, units, help
// texts.
func checkMetrics(t *testing.T, url, token string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	cmd := exec.CommandContext(t.Context(), prometheusTool(t, "promtool"), "check", "metrics")
	cmd.Stdin = resp.Body
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestDashboard decodes the dashboard strictly: no field is unknown, misspelt or missing.
func TestDashboard(t *testing.T) { queries(t) }
