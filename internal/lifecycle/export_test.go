package lifecycle

import "time"

// SetPage makes listings of n entries.
func (w *Worker) SetPage(n int) { w.page = n }

// Midnight is midnight.
func Midnight(t time.Time) time.Time { return midnight(t) }

// Next returns when the pass after now begins.
func (w *Worker) Next(now time.Time) time.Time { return w.next(now) }
