package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// sections are the sections of docs/metrics.md in order.
var sections = []section{sectionConfigurations, sectionRuns, sectionMachines, sectionStores, sectionAPI, sectionStore, sectionIndex, sectionCatalog, sectionShared, sectionNotices, sectionLogs, sectionProcess}

const introduction = `# Metrics

` + "`/-/metrics`" + ` serves these metrics in the text format of Prometheus. [operating.md](operating.md#what-to-watch) explains what to watch,
and the alerts.

Counters begin at 0 when the server starts, and count what this server does. Gauges are read at each scrape. Durations are in seconds, sizes in bytes, times in
Unix seconds: ` + "`time() - X_timestamp_seconds`" + ` is an age. No label holds a key, the id of a run or anything else that clients choose
freely. ` + "`bucket` and `configuration`" + ` label at most ` + "`--metrics-configurations`" + ` configurations, with up to ten series each; the
number is 1,000 by default if metrics have an address (` + "`--metrics-listen`" + `) or a token (` + "`--metrics-token-file`" + `) of their own, else 0,
because everyone who can reach the server may read them. A metric that cannot be read is missing from the answer; the log
says why, and ` + "`promhttp_metric_handler_errors_total`" + ` counts.

This page is made from the program by ` + "`go test ./internal/metrics -run TestDocs -update`" + `.
`

// TestDocs compares docs/metrics.md with the definitions. It names a metric without
// a line.
func TestDocs(t *testing.T) {
	const path = "../../docs/metrics.md"
	lines := map[string]string{}
	var b strings.Builder
	b.WriteString(introduction)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | is |\n|---|---|---|\n", s)
		for _, d := range definitions {
			if d.section != string(s) {
				continue
			}
			labels := ""
			if len(d.labels) > 0 {
				labels = "{" + strings.Join(d.labels, ",") + "}"
			}
			lines[d.name] = fmt.Sprintf("| `%s%s` | %s | %s |", d.name, labels, d.kind, d.help)
			fmt.Fprintln(&b, lines[d.name])
		}
	}
	fmt.Fprintf(&b, "\n`go_*`, `process_*` and `promhttp_*` come from the Prometheus client library: memory, goroutines, garbage collection, open files, scrapes.\n")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		if lines[d.name] == "" {
			t.Errorf("%s: its section %q is not in the list of sections", d.name, d.section)
		} else if !strings.Contains(string(got), "\n"+lines[d.name]+"\n") {
			t.Errorf("%s has no line in docs/metrics.md that fits", d.name)
		}
	}
	if string(got) != b.String() {
		t.Error("docs/metrics.md is not what the definitions make; run: go test ./internal/metrics -run TestDocs -update")
	}
}

// TestConventions checks names against the conventions of Prometheus.
func TestConventions(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range definitions {
		if seen[d.name] {
			t.Errorf("%s is defined twice", d.name)
		}
		seen[d.name] = true
		if total := strings.HasSuffix(d.name, "_total"); total != (d.kind == counter) {
			t.Errorf("%s is a %s", d.name, d.kind)
		}
		if d.kind == histogram && !strings.HasSuffix(d.name, "_seconds") {
			t.Errorf("%s: a histogram of what?", d.name)
		}
		for _, unit := range []string{"milliseconds", "_ms", "_kb", "_mib", "minutes", "hours", "percent"} {
			if strings.Contains(d.name, unit) {
				t.Errorf("%s: seconds, bytes and ratios are the units", d.name)
			}
		}
		if !strings.HasSuffix(d.help, ".") || strings.ToUpper(d.help[:1]) != d.help[:1] {
			t.Errorf("%s: its help is not a sentence: %s", d.name, d.help)
		}
		if i := slices.IndexFunc(d.labels, func(l string) bool { return l == "key" || l == "run" || l == "request" }); i >= 0 {
			t.Errorf("%s: the label %s has no bound", d.name, d.labels[i])
		}
	}
}
