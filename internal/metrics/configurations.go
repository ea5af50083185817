package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

const sectionConfigurations section = "Configurations"

var (
	configurations          = sectionConfigurations.gauge("configurations", "Configurations of all buckets.")
	configurationsScheduled = sectionConfigurations.gauge("configurations_scheduled", "Configurations that have a next run: neither disabled nor suspended, and not of the frequency Once.")
	configurationsFailing   = sectionConfigurations.gauge("configurations_failing", "Configurations whose newest completed run failed; cancelled and skipped runs do not count.")
	configurationsShown     = sectionConfigurations.gauge("configurations_shown", "Configurations that have the metrics below, bounded by --metrics-configurations. Failing ones come first, then the others in the order of their names.")

	windowsBehind = sectionConfigurations.gauge("windows_behind_seconds", "Greatest of stocktake_configuration_window_behind_seconds of all configurations, shown or not; 0: all windows that have ended are published. Missing if there are no incremental reports.")

	configurationCreated  = sectionConfigurations.gauge("configuration_created_timestamp_seconds", "When the configuration was put, in Unix seconds.", "bucket", "configuration")
	configurationInterval = sectionConfigurations.gauge("configuration_interval_seconds", "Longest time between two scheduled runs: a day, a week, or 31 days. Missing if the configuration has no next run.", "bucket", "configuration")
	configurationNext     = sectionConfigurations.gauge("configuration_next_run_timestamp_seconds", "When the next run is due, in Unix seconds. Missing if there is none.", "bucket", "configuration")
	configurationSuccess  = sectionConfigurations.gauge("configuration_last_success_timestamp_seconds", "When the newest successful run in the history ended, in Unix seconds. Missing if there is none.", "bucket", "configuration", "kind")
	configurationBehind   = sectionConfigurations.gauge("configuration_window_behind_seconds", "How long ago the oldest window ended whose incremental report is not published; 0: all that have ended are. Missing if the configuration is suspended or has no incremental reports.", "bucket", "configuration")
	configurationFailing  = sectionConfigurations.gauge("configuration_last_run_failed", "1 if the newest completed full run failed, else 0; cancelled and skipped runs do not count.", "bucket", "configuration")
	reportObjects         = sectionConfigurations.gauge("configuration_report_objects", "Objects and versions in the newest full report.", "bucket", "configuration")
	reportBytes           = sectionConfigurations.gauge("configuration_report_bytes", "Size in bytes of the objects in the newest full report.", "bucket", "configuration")
	reportDuration        = sectionConfigurations.gauge("configuration_report_duration_seconds", "Duration of the run that made the newest full report.", "bucket", "configuration")
)

// DefaultConfigurations is the default number of configurations with metrics of
// their own.
const DefaultConfigurations = 1000

// A WindowService reports how late the windows of incremental reports are.
type WindowService interface {
	// WindowBehind returns the time since the end of the window that starts at start,
	// or 0 if the window has not ended. It returns false if start is zero or if no
	// incremental reports are made.
	WindowBehind(start time.Time) (time.Duration, bool)
}

// Configurations exports the number of configurations, and details of at most shown
// of them. Each of those has at most ten series. Failing configurations come first,
// so that alerts always see them.
func (m *Metrics) Configurations(catalog inventory.FigureCatalog, windows WindowService, shown int) {
	figures := &figureCache{read: func(ctx context.Context) (inventory.Figures, error) { return catalog.Figures(ctx, shown) }}
	m.reads(func(emit emitter) error {
		f, err := figures.get()
		if err != nil {
			return err
		}
		emit(configurations, float64(f.Configurations))
		emit(configurationsScheduled, float64(f.Scheduled))
		emit(configurationsFailing, float64(f.Failing))
		emit(configurationsShown, float64(len(f.Shown)))
		if behind, ok := windows.WindowBehind(f.Window); ok {
			emit(windowsBehind, behind.Seconds())
		}
		for i := range f.Shown {
			emitConfiguration(emit, &f.Shown[i])
			if behind, ok := windows.WindowBehind(f.Shown[i].Window); ok {
				emit(configurationBehind, behind.Seconds(), f.Shown[i].Bucket, f.Shown[i].Configuration)
			}
		}
		return nil
	}, configurations, configurationsScheduled, configurationsFailing, configurationsShown, windowsBehind,
		configurationCreated, configurationInterval, configurationNext, configurationSuccess,
		configurationBehind, configurationFailing, reportObjects, reportBytes, reportDuration)
}

func emitConfiguration(emit emitter, f *inventory.Figure) {
	of := []string{f.Bucket, f.Configuration}
	emit(configurationCreated, seconds(f.Created), of...)
	if !f.Due.IsZero() {
		emit(configurationNext, seconds(f.Due), of...)
		if interval := intervalOf(f.Frequency); interval > 0 {
			emit(configurationInterval, interval.Seconds(), of...)
		}
	}
	emit(configurationFailing, number(f.Failing), of...)
	if full := f.Full; full != nil {
		emit(configurationSuccess, seconds(full.Ended), f.Bucket, f.Configuration, string(stocktake.FullRun))
		emit(reportObjects, float64(full.Matched), of...)
		emit(reportBytes, float64(full.Bytes), of...)
		emit(reportDuration, full.Ended.Sub(full.Started).Seconds(), of...)
	}
	if !f.Incremental.IsZero() {
		emit(configurationSuccess, seconds(f.Incremental), f.Bucket, f.Configuration, string(stocktake.IncrementalRun))
	}
}

// intervalOf returns the longest time between two due times of a frequency.
func intervalOf(f stocktake.Frequency) time.Duration {
	const day = 24 * time.Hour
	switch f {
	case stocktake.Daily:
		return day
	case stocktake.Weekly:
		return 7 * day
	case stocktake.Monthly:
		return 31 * day
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// figureCache limits reading figures to a tenth of the time. With 10^5
// configurations a reading takes seconds; with a thousand, every request reads them
// again.
type figureCache struct {
	read func(context.Context) (inventory.Figures, error)

	mu    sync.Mutex
	last  inventory.Figures
	until time.Time
}

func (c *figureCache) get() (inventory.Figures, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := time.Now()
	if begun.Before(c.until) {
		return c.last, nil
	}
	err := within(func(ctx context.Context) (err error) {
		c.last, err = c.read(ctx)
		return err
	})
	if took := time.Since(begun); err == nil && took > 100*time.Millisecond {
		c.until = begun.Add(10 * took)
	}
	return c.last, err
}
