package retention_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// window writes an incremental report of ten minutes that starts at start, for a
// configuration, and returns its directory.
func (w *world) window(start time.Time, configuration string) string {
	cfg := &w.entry.Configuration
	at := report.Location{Prefix: cfg.Destination.Prefix, Bucket: "photos", Configuration: cfg.ID}
	dir, dst := at.Window(start), w.stores.Bucket("reports")
	m := stocktake.Manifest{
		StartTimestamp: start.Unix(), EndTimestamp: start.Unix() + 600, SourceBucket: "photos", DestinationBucket: "reports",
		FileFormat: "CSV", FileSchema: "Bucket, Key", Version: stocktake.ManifestVersionIncremental,
		Files: []stocktake.ManifestFile{{Key: dir + "data/a_0.csv", MD5: strings.Repeat("A", 32)}},
	}
	dst.Write(dir+"data/a_0.csv", nil)
	dst.Write(dir+report.SummaryName, []byte(`{"version":1,"bucket":"photos","configuration":"`+configuration+`"}`))
	dst.Write(dir+report.ManifestName, m.AppendJSON(nil))
	return dir
}

// TestWindowsGoWithTheirReports keeps the windows that the oldest full report that
// is kept is brought forward with, and removes those before.
func TestWindowsGoWithTheirReports(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	w.entry.Retention.Reports = 1
	begin := w.now
	early := w.window(begin.Add(-time.Hour), w.entry.Configuration.ID)
	w.run()
	between := w.window(begin.Add(20*time.Minute), w.entry.Configuration.ID)
	strange := w.window(begin.Add(40*time.Minute), "another")
	w.tidy(false)
	for _, dir := range []string{early, between} {
		if len(w.keys(dir)) != 3 {
			t.Errorf("before any full report goes, %s has %q", dir, w.keys(dir))
		}
	}
	w.now = begin.Add(65 * time.Minute)
	across := w.window(begin.Add(time.Hour), w.entry.Configuration.ID)
	w.run()
	after := w.window(begin.Add(70*time.Minute), w.entry.Configuration.ID)
	w.tidy(false)
	for _, dir := range []string{early, between} {
		if keys := w.keys(dir); len(keys) > 0 {
			t.Errorf("no report needs %s, which has %q", dir, keys)
		}
	}
	for _, dir := range []string{strange, across, after} {
		if len(w.keys(dir)) != 3 {
			t.Errorf("%s has %q", dir, w.keys(dir))
		}
	}
	if !slices.ContainsFunc(w.warnings, func(s string) bool { return strings.Contains(s, "another") }) {
		t.Errorf("warnings %q", w.warnings)
	}
}
