package store

import (
	"context"
	"fmt"
	"log/slog"
)

// indexLog carries Pebble's log into ours.
type indexLog struct {
	log   *slog.Logger
	fatal func(error)
}

func (l *indexLog) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("index: " + fmt.Sprintf(format, args...))
	}
}

func (l *indexLog) Errorf(format string, args ...any) {
	l.log.Error("index: " + fmt.Sprintf(format, args...))
}

func (l *indexLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf("index: "+format, args...)
	l.log.Error("the index failed; the process ends", "err", err)
	l.fatal(err)
}
