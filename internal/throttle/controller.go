package throttle

import "time"

const (
	firstLimit = 4 // initial requests in flight

	// The latency is an average over about this many requests.
	averaged = 16

	// The limit grows while the average latency is below steady times the base, and
	// is halved when the average rises above rising times the base.
	steady, rising = 1.5, 3

	// The base grows by this factor with each request, so that a store that has
	// become permanently slower is not considered overloaded for ever.
	drift = 1.001
)

// A controller determines how many requests in flight a store can handle. At first
// the limit doubles with each round of requests. After the first sign of overload
// it grows by one with each round. Each sign halves it. A controller is not safe
// for concurrent use.
type controller struct {
	max   float64 // upper bound of limit
	limit float64

	overloadedOnce bool          // the store has been overloaded once
	halvedAt       time.Time     // when the limit was last halved
	samples        int           // latencies since then
	average        time.Duration // of the last latencies
	base           time.Duration // the lowest average, with drift
}

func newController(most int) *controller {
	return &controller{max: float64(most), limit: float64(min(firstLimit, most))}
}

// allowed returns how many requests may be in flight.
func (c *controller) allowed() int { return int(c.limit) }

// An answer is the outcome of one request.
type answer struct {
	began, ended time.Time
	overloaded   bool // the store was overloaded, or did not answer in time
	timed        bool // its latency is a measure of the store
	full         bool // the requests in flight were at the limit
}

// observe adjusts the limit to an answer.
func (c *controller) observe(a answer) {
	if a.overloaded {
		if !a.began.Before(c.halvedAt) { // else the limit was already halved for it
			c.halve(a.ended)
		}
		return
	}
	if a.timed && !a.began.Before(c.halvedAt) {
		c.measure(a.ended.Sub(a.began))
		if c.samples >= max(averaged, c.allowed()) && float64(c.average) > rising*float64(c.base) {
			c.halve(a.ended)
			return
		}
	}
	if !a.full || c.samples >= averaged && float64(c.average) > steady*float64(c.base) {
		return
	}
	step := 1.0
	if c.overloadedOnce {
		step = 1 / c.limit
	}
	c.limit = min(c.max, c.limit+step)
}

func (c *controller) measure(latency time.Duration) {
	if c.samples++; c.samples <= averaged {
		c.average += (latency - c.average) / time.Duration(c.samples)
	} else {
		c.average += (latency - c.average) / averaged
	}
	if c.samples < averaged {
		return
	}
	c.base = time.Duration(float64(c.base) * drift)
	if c.base == 0 || c.average < c.base {
		c.base = c.average
	}
}

func (c *controller) halve(now time.Time) {
	c.limit = max(1, c.limit/2)
	c.overloadedOnce, c.halvedAt = true, now
	c.samples, c.average = 0, 0
}

// setMax sets the upper bound of the limit.
func (c *controller) setMax(most int) {
	c.max = float64(most)
	c.limit = min(c.limit, c.max)
}
