// Package indexlog reports what happens in the index of a store: Pebble's log and
// its events, damaged files and stalled writes.
package indexlog

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A Log forwards Pebble's log and events to the log of the store. Repeated messages
// are logged once a minute, since Pebble retries failed background work at once.
type Log struct {
	Logger *slog.Logger // that it writes to
	fatal  func(error)

	mu      sync.Mutex
	said    map[string]time.Time // when a message was logged last, by its subject
	damaged map[string]error     // files of the index that have unreadable blocks, by path
	stalls  stalls
}

// New returns a log of one index. fatal is called when the index cannot be
// used any more.
func New(log *slog.Logger, fatal func(error)) *Log {
	return &Log{Logger: log, fatal: fatal}
}

// stalls records the times in which writes had to wait for the index.
type stalls struct {
	n     int64
	took  time.Duration
	begun time.Time // of the present one; zero: there is none
}

// Stalled returns the number of write stalls and their total duration.
func (l *Log) Stalled() (n int64, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	took = l.stalls.took
	if !l.stalls.begun.IsZero() {
		took += time.Since(l.stalls.begun)
	}
	return l.stalls.n, took
}

// repeatEvery is how often the log repeats a message about the same subject.
const repeatEvery = time.Minute

// again reports whether a message about subject is due.
func (l *Log) again(subject string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.said[subject]) < repeatEvery {
		return false
	}
	if l.said == nil || len(l.said) > 1000 {
		l.said = map[string]time.Time{}
	}
	l.said[subject] = now
	return true
}

// Infof implements [pebble.Logger].
func (l *Log) Infof(format string, args ...any) {
	if l.Logger.Enabled(context.Background(), slog.LevelDebug) {
		l.Logger.Debug("index: " + fmt.Sprintf(format, args...))
	}
}

// Errorf implements [pebble.Logger].
func (l *Log) Errorf(format string, args ...any) {
	if l.again(format) {
		l.Logger.Error("index: " + fmt.Sprintf(format, args...))
	}
}

// Fatalf implements [pebble.Logger].
func (l *Log) Fatalf(format string, args ...any) {
	err := fmt.Errorf("index: "+format, args...)
	l.Logger.Error("the index failed; the process ends", "err", err.Error())
	l.fatal(err)
}

// Events returns the callbacks for Pebble. Without them, Pebble ends the process at
// each damaged block.
func (l *Log) Events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if l.again("background") {
				l.Logger.Error("index: flushing or compacting failed and is tried again; this is logged once a minute", "err", err.Error())
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.mu.Lock()
			if l.damaged == nil {
				l.damaged = map[string]error{}
			}
			l.damaged[info.Path] = info.Details
			l.mu.Unlock()
			if l.again(info.Path) {
				l.Logger.Error("index: a file has a damaged block; reads of its keys fail; run stocktake store audit", "file", info.Path, "err", info.Details)
			}
			time.Sleep(corruptionPause)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			l.mu.Lock()
			l.stalls.n++
			l.stalls.begun = time.Now()
			l.mu.Unlock()
			if l.again("stall") {
				l.Logger.Warn("index: writes wait because flushes or compactions do not keep up", "reason", info.Reason)
			}
		},
		WriteStallEnd: func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !l.stalls.begun.IsZero() {
				l.stalls.took += time.Since(l.stalls.begun)
				l.stalls.begun = time.Time{}
			}
		},
	}
}

// corruptionPause delays compactions of a damaged file, which Pebble retries forever. Reads of a
// damaged block also wait.
const corruptionPause = 5 * time.Millisecond

// DamagedFiles returns the files of the index with known damaged blocks.
func (l *Log) DamagedFiles() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.damaged))
}
