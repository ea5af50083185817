package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// newLogger returns a logger that writes to w, in the form that --log-format
// names.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(jsonWriter{w}, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// A logFile is a file that a log is appended to, and that can be opened again
// after it was moved away. Its methods may be used by many goroutines.
type logFile struct {
	path string
	mu   sync.Mutex
	file *os.File
}

// openLogFile opens the log, which is made with mode 0600 if there is none.
func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	if err := l.reopen(); err != nil {
		return nil, usagef("--log-file: %w", err)
	}
	return l, nil
}

// reopen opens the path again. After an error the file that was open stays in
// use.
func (l *logFile) reopen() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log again: %w", err)
	}
	l.mu.Lock()
	old := l.file
	l.file = f
	l.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
