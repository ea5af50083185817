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
// fails: lines that cannot be kept or written are dropped and counted, since a request
// must not fail because its line cannot be written. Its methods may be used by many
// goroutines.
type Queue struct {
	to        io.Writer
	failed    func(error)
	recovered func(lost int64)
	dropped   atomic.Int64

	mu      sync.Mutex
	pending []byte
	closed  bool
	wake    chan struct{} // has a token if there may be something to write
	done    chan struct{} // closed when the writer has ended
}

// NewQueue returns a queue that writes to w, which is called by one goroutine at a time.
// Functions that are nil are not called.
//
// failed is called by that goroutine after each write that failed. recovered is called
// after a write that succeeded, with the number of lines that were dropped since the
// last such call, if any were; a line that it writes to the queue stands near the gap.
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
	torn := false // the last line was written in part
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

// flush writes lines, and reports whether the last one is torn.
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

// lost counts the lines behind the first n bytes, which were written.
func (q *Queue) lost(buf []byte, n int, err error, torn bool) bool {
	q.dropped.Add(lines(buf[n:]))
	q.failed(err)
	if n > 0 {
		torn = buf[n-1] != '\n'
	}
	return torn
}

func lines(p []byte) int64 { return int64(bytes.Count(p, []byte{'\n'})) }

// Close writes what waits and ends the queue. Lines that come later are dropped. The
// error is ErrNotFlushed if that takes too long.
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
