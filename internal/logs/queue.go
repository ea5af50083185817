package logs

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPending bounds the lines that wait to be written, in bytes: some 20,000 lines
	// of an access log.
	maxPending = 8 << 20

	// flushWithin is how long Close waits for lines to be written.
	flushWithin = 5 * time.Second
)

// ErrNotFlushed is returned by [Queue.Close] if lines still wait for the disk.
var ErrNotFlushed = errors.New("the last lines were not written to the disk in time")

// A Queue writes lines in the background, many at once. Its Write neither waits nor
// fails, because a request must not fail if its log line cannot be written. Lines
// that cannot be kept or written are dropped and counted. Its methods are safe for
// concurrent use.
type Queue struct {
	to        io.Writer
	failed    func(error)
	recovered func(lost int64)
	dropped   atomic.Int64

	mu      sync.Mutex
	pending []byte
	closed  bool
	wake    chan struct{} // has a token if there may be lines to write
	done    chan struct{} // closed when the writer has ended
}

// NewQueue returns a queue that writes to w, from one goroutine at a time. failed
// and recovered may be nil.
//
// That goroutine calls failed after each failed write. It calls recovered after a
// successful write, with the number of lines dropped since the last call, if that
// is not 0. A line that recovered writes to the queue is written near the gap.
func NewQueue(w io.Writer, failed func(error), recovered func(lost int64)) *Queue {
	if failed == nil {
		failed = func(error) {}
	}
	if recovered == nil {
		recovered = func(int64) {}
	}
	q := &Queue{to: w, failed: failed, recovered: recovered, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.serve()
	return q
}

// Dropped returns how many lines were dropped so far.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// Write takes whole lines. It implements [io.Writer], and never fails.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.pending)+len(p) > maxPending {
		q.mu.Unlock()
		q.dropped.Add(lines(p))
		return len(p), nil
	}
	q.pending = append(q.pending, p...)
	q.mu.Unlock()
	q.signal()
	return len(p), nil
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) serve() {
	defer close(q.done)
	var buf []byte
	torn := false // the last line was written only in part
	told := int64(0)
	for range q.wake {
		q.mu.Lock()
		buf, q.pending = q.pending, buf[:0]
		closed := q.closed
		q.mu.Unlock()
		if len(buf) > 0 {
			var err error
			torn, err = q.flush(buf, torn)
			if lost := q.Dropped(); err == nil && lost > told {
				q.recovered(lost - told)
				told = lost
			}
		}
		if closed {
			return
		}
	}
}

// flush writes lines, and reports whether the last one was written only in part.
func (q *Queue) flush(buf []byte, torn bool) (bool, error) {
	if torn {
		if _, err := q.to.Write([]byte{'\n'}); err != nil {
			return q.lost(buf, 0, err, torn), err
		}
	}
	n, err := q.to.Write(buf)
	if err != nil {
		return q.lost(buf, n, err, false), err
	}
	return false, nil
}

// lost counts the lines after the first n bytes, which were written.
func (q *Queue) lost(buf []byte, n int, err error, torn bool) bool {
	q.dropped.Add(lines(buf[n:]))
	q.failed(err)
	if n > 0 {
		torn = buf[n-1] != '\n'
	}
	return torn
}

func lines(p []byte) int64 { return int64(bytes.Count(p, []byte{'\n'})) }

// Close writes the waiting lines and ends the queue. Later lines are dropped. It
// returns ErrNotFlushed if writing takes too long.
func (q *Queue) Close() error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.done:
		return nil
	case <-time.After(flushWithin):
		return ErrNotFlushed
	}
}
