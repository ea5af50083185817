package main

import (
	"io"
	"log/slog"

	"github.com/stocktake/stocktake/internal/logs"
)

// newLogger returns a logger that writes to w, in the form that --log-format
// names.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	return logs.New(w, format, level)
}

// openLogFile opens the file of --log-file.
func openLogFile(path string) (*logs.File, error) {
	f, err := logs.Open(path)
	if err != nil {
		return nil, usagef("--log-file: %w", err)
	}
	return f, nil
}
