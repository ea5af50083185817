package cluster

import "time"

// measured is the length of a period of a meter.
const measured = 250 * time.Millisecond

// A meter measures what a process can use of a store, in periods. The zero value is
// ready.
type meter struct {
	begun  time.Time // of the current period
	now    tally
	last   tally
	length time.Duration // of the last period
	whole  int           // periods since the meter was reset
}

// A tally counts the requests of a period.
type tally struct {
	sent int64
	most int64 // in flight at once
}

// reset begins a new measurement. A process whose requests had to wait can use more
// than it has had, but not how much more is known.
func (m *meter) reset(now time.Time) { *m = meter{begun: now} }

// add counts requests that were sent since the last call, and the most of them that
// were in flight at once.
func (m *meter) add(now time.Time, sent, most int64) {
	if length := now.Sub(m.begun); length >= measured {
		m.last, m.length, m.now, m.begun = m.now, length, tally{}, now
		m.whole++
	}
	m.now.sent += sent
	m.now.most = max(m.now.most, most)
}

// needs returns what the process can use of a store that known processes share, with
// something to spare so that it can grow; 0: any amount, until two periods have been
// measured.
func (m *meter) needs(total share, known int64) (n share) {
	if m.whole < 2 {
		return share{}
	}
	most := max(m.last.most, m.now.most)
	if n.concurrency = most + max(1, most/4); n.concurrency >= total.concurrency {
		n.concurrency = 0
	}
	perSecond := float64(m.last.sent) / m.length.Seconds()
	if n.rate = max(int64(2*perSecond*milli), total.rate/(4*known), 1); n.rate >= total.rate {
		n.rate = 0
	}
	return n
}

// differ reports whether needs have changed so much that others should know: smaller
// changes would be written again and again.
func (s share) differ(is share) bool {
	differ := func(was, is, more int64) bool { return was != is && (was == 0 || is == 0 || is > more || is <= was/2) }
	return differ(s.concurrency, is.concurrency, s.concurrency) || differ(s.rate, is.rate, s.rate*5/4)
}
