package report

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// windowsName is the folder of a location's incremental reports, and windowLayout
// the form of their folders below it.
//
// Source: OSS developer guide, bucket inventory, incremental inventory.
const (
	windowsName  = "incremental_inventory/"
	windowLayout = "2006-01-02T15-0405Z"
)

// Windows returns the prefix of all incremental reports of the location.
func (l Location) Windows() string { return l.Base() + windowsName }

// Window returns the prefix of all files of the incremental report whose window
// starts at t, which counts in whole seconds.
func (l Location) Window(t time.Time) string {
	return l.Windows() + t.UTC().Format(windowLayout) + "/"
}

// WindowData returns the prefix of the files with the rows of that report.
func (l Location) WindowData(t time.Time) string { return l.Window(t) + "data/" }

// LongestWindowKey returns the length in bytes of the longest key of an incremental
// report of the location: that of its millionth file.
func (l Location) LongestWindowKey() int {
	const name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_1000000.csv"
	return len(l.WindowData(time.Time{})) + len(name)
}

// CheckWindowKeys does what [Location.CheckKeys] does for incremental reports.
func (l Location) CheckWindowKeys() error {
	if n := l.LongestWindowKey(); n > stocktake.MaxKeyLength {
		return l.tooLong(n)
	}
	return nil
}

// WindowDirectories yields the directories of the location's incremental reports,
// ascending by the start of the window, which is their Time. If listing fails, the
// last pair has the error.
func WindowDirectories(ctx context.Context, b Bucket, l Location) iter.Seq2[Directory, error] {
	return func(yield func(Directory, error) bool) {
		var d Directory
		for key, err := range b.List(ctx, l.Windows()) {
			if err != nil {
				yield(Directory{}, fmt.Errorf("list %s: %w", l.Windows(), err))
				return
			}
			name, file, _ := strings.Cut(strings.TrimPrefix(key, l.Windows()), "/")
			t, err := time.Parse(windowLayout, name)
			if err != nil {
				continue
			}
			if dir := l.Windows() + name + "/"; dir != d.Key {
				if d.Key != "" && !yield(d, nil) {
					return
				}
				d = Directory{Key: dir, Time: t}
			}
			d.Manifest = d.Manifest || file == ManifestName
			d.Summary = d.Summary || file == SummaryName
		}
		if d.Key != "" {
			yield(d, nil)
		}
	}
}

// Incremental reports whether the report is one of changes.
func (r *Report) Incremental() bool { return r.Manifest.Incremental() }

// Time returns the time of the state that the report shows, or leads to: the start
// of the scan, or the end of the window.
func (r *Report) Time() time.Time { return r.Manifest.Time() }
