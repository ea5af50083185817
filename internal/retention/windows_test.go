package retention_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
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
	dst.Write(dir+"data/b_0.csv", nil) // as a lost attempt leaves it
	dst.Write(dir+report.SummaryName, fmt.Appendf(nil, `{"version":1,"bucket":"photos","configuration":%q,"end":%q,"window":{}}`,
		configuration, start.Add(10*time.Minute).Format(time.RFC3339)))
	dst.Write(dir+report.ManifestName, m.AppendJSON(nil))
	return dir
}

// filesOfWindow is the number of files that window writes.
const filesOfWindow = 4

// TestWindowsGoWithTheirReports keeps the windows that follow the oldest kept full
// report, and removes those before.
func TestWindowsGoWithTheirReports(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	w.entry.Retention.Reports = 1
	begin := w.now
	early := w.window(begin.Add(-time.Hour), w.entry.Configuration.ID)
	w.run()
	between := w.window(begin.Add(20*time.Minute), w.entry.Configuration.ID)
	strange := w.window(begin.Add(40*time.Minute), "another")
	w.removeReports(false)
	for _, dir := range []string{early, between} {
		if len(w.keys(dir)) != filesOfWindow {
			t.Errorf("before any full report goes, %s has %q", dir, w.keys(dir))
		}
	}
	w.now = begin.Add(65 * time.Minute)
	across := w.window(begin.Add(time.Hour), w.entry.Configuration.ID)
	w.run()
	after := w.window(begin.Add(70*time.Minute), w.entry.Configuration.ID)
	w.removeReports(false)
	for _, dir := range []string{early, between} {
		if keys := w.keys(dir); len(keys) > 0 {
			t.Errorf("no report needs %s, which has %q", dir, keys)
		}
	}
	for _, dir := range []string{strange, across, after} {
		if len(w.keys(dir)) != filesOfWindow {
			t.Errorf("%s has %q", dir, w.keys(dir))
		}
	}
	if !slices.ContainsFunc(w.warnings, func(s string) bool { return strings.Contains(s, "another") }) {
		t.Errorf("warnings %q", w.warnings)
	}
}

// TestRemovalOfWindowsContinues stops a pass at each of its operations: no window
// with a manifest ever lacks a file, and the next pass removes the rest.
func TestRemovalOfWindowsContinues(t *testing.T) {
	for n := int32(1); ; n++ {
		w := newWorld(t, openCatalog(t))
		w.entry.Retention.Reports = 1
		begin := w.now
		early := w.window(begin.Add(-time.Hour), w.entry.Configuration.ID)
		w.run()
		between := w.window(begin.Add(20*time.Minute), w.entry.Configuration.ID)
		w.now = begin.Add(time.Hour)
		w.run()
		after := w.window(begin.Add(70*time.Minute), w.entry.Configuration.ID)

		var left atomic.Int32
		left.Store(n)
		w.remover.Stores = stores{w.stores.Store, func(d engine.Destination) engine.Destination { return failing{d, &left} }}
		_, err := w.remover.RemoveReports(t.Context(), inventory.RemovalJob{Entry: w.entry, Manifest: w.last})
		if err != nil && !errors.Is(err, errStore) {
			t.Fatal(err)
		}
		for _, dir := range []string{early, between, after} {
			if keys := w.keys(dir); slices.Contains(keys, dir+report.ManifestName) && len(keys) != filesOfWindow {
				t.Errorf("operation %d failed: %s has a manifest and %q", n, dir, keys)
			}
		}
		w.remover.Stores = w.stores
		w.removeReports(true)
		for _, dir := range []string{early, between} {
			if keys := w.keys(dir); len(keys) > 0 {
				t.Errorf("operation %d failed: there are %q", n, keys)
			}
		}
		if keys := w.keys(after); len(keys) != filesOfWindow {
			t.Errorf("operation %d failed: of the window that is needed there are %q", n, keys)
		}
		if err == nil {
			break
		}
	}
}

// A window that is being published again has a summary, but no manifest yet. It
// stays, as does a window that has just been published and is not in the catalog.
func TestWindowsBeingPublishedStay(t *testing.T) {
	w := newWorld(t, openCatalog(t))
	w.entry.Retention.Reports = 1
	begin := w.now
	removed := w.window(begin, w.entry.Configuration.ID)
	coming := w.window(begin.Add(10*time.Minute), w.entry.Configuration.ID)
	published := w.window(begin.Add(20*time.Minute), w.entry.Configuration.ID)
	for _, dir := range []string{removed, coming} {
		if err := w.stores.Bucket("reports").Remove(t.Context(), dir+report.ManifestName); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		w.now = w.now.Add(time.Hour)
		w.run()
	}
	if _, err := w.remover.RemoveReports(t.Context(), inventory.RemovalJob{Entry: w.entry, Manifest: w.last, Unreported: begin.Add(10 * time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if keys := w.keys(removed); len(keys) > 0 {
		t.Errorf("there are %q", keys)
	}
	if keys := w.keys(coming); len(keys) != filesOfWindow-1 {
		t.Errorf("of the window that comes there are %q", keys)
	}
	if keys := w.keys(published); len(keys) != filesOfWindow {
		t.Errorf("of the window that has just come there are %q", keys)
	}
}
