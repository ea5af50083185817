package throttle

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound the requests to a store. The zero value means 64 requests in
// flight at most, at any rate and any time.
type Limits struct {
	PerSecond   float64 // requests that begin per second; 0: no limit
	Concurrency int     // most requests in flight; 0: DefaultConcurrency
	Hours       Hours   // when requests may begin; zero: always
}

// DefaultConcurrency is the default of the most requests in flight.
const DefaultConcurrency = 64

// A Gate passes requests to a store as fast as the store can handle them. All users
// of a store share one Gate. It begins with a few requests at once, passes more
// while answers come as fast as before, and half as many when the store answers 429
// or 503, does not answer, or becomes slow. A request is in flight until the body
// of its response is closed.
type Gate struct {
	next    http.RoundTripper
	total   int // most slots, of all processes that share the limits
	hours   Hours
	rate    *rate.Limiter // nil: no limit
	turn    chan struct{} // held by the one request that waits for the rate
	pressed chan struct{} // see Pressed

	mu       sync.Mutex
	share    int           // slots of this process; an upper bound of the controller's
	stopped  bool          // the share of the rate is 0
	granted  chan struct{} // closed by the next Grant
	asked    int64
	control  *controller
	inFlight int
	most     int             // in flight at once since the last Demand
	waiting  []chan struct{} // of requests, in order of arrival; closed when one may pass
	stats    Stats
}

// Stats are counts of a Gate since it was made, and its state.
type Stats struct {
	Requests int64 // sent
	Refused  int64 // answered with 429 or 503
	Failed   int64 // not answered
	Retried  int64 // sent again

	InFlight int
	Waiting  int // for a slot
	Limit    int // current number of slots
}

// NewGate returns a Gate to next.
func NewGate(next http.RoundTripper, l Limits) *Gate {
	if l.Concurrency <= 0 {
		l.Concurrency = DefaultConcurrency
	}
	g := &Gate{
		next: next, total: l.Concurrency, hours: l.Hours, share: l.Concurrency, control: newController(l.Concurrency),
		turn: make(chan struct{}, 1), pressed: make(chan struct{}, 1), granted: make(chan struct{}),
	}
	if l.PerSecond > 0 {
		g.rate = rate.NewLimiter(rate.Limit(l.PerSecond), max(1, int(l.PerSecond/10)))
	}
	return g
}

// Grant sets the part of the limits that this process may use from now on, if
// several processes share them: requests that begin per second, ignored without
// such a limit, and requests in flight. Without a slot, or with a rate of 0, no
// request begins. Grant also applies to waiting requests. Requests in flight are
// not affected.
func (g *Gate) Grant(perSecond float64, concurrency int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rate != nil {
		if g.stopped = perSecond <= 0; g.stopped {
			concurrency = 0
		} else {
			g.rate.SetLimit(rate.Limit(perSecond))
			g.rate.SetBurst(max(1, int(perSecond/10)))
		}
	}
	g.share = max(concurrency, 0)
	g.control.setMax(max(concurrency, 1))
	close(g.granted)
	g.granted = make(chan struct{})
	g.wake()
}

// Pressed receives a value after requests had to wait because of the limits, or
// because of the part that Grant has set.
func (g *Gate) Pressed() <-chan struct{} { return g.pressed }

func (g *Gate) signalPressed() {
	select {
	case g.pressed <- struct{}{}:
	default: // the last value has not been received yet
	}
}

// A Demand is what the users of a Gate have requested since they were last asked.
type Demand struct {
	Sent     int64
	Most     int // in flight at once
	InFlight int // now
	Waiting  int // now, for a slot
}

// Wanted reports whether there was a request.
func (d Demand) Wanted() bool { return d.Sent > 0 || d.InFlight > 0 || d.Waiting > 0 }

// Demand returns the demand since the last call.
func (g *Gate) Demand() Demand {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := Demand{Sent: g.stats.Requests - g.asked, Most: g.most, InFlight: g.inFlight, Waiting: len(g.waiting)}
	g.asked, g.most = g.stats.Requests, g.inFlight
	return d
}

// concurrency returns how many requests may be in flight. The caller holds the lock.
func (g *Gate) concurrency() int { return min(g.control.allowed(), g.share) }

// Share returns another Gate to next that shares the limits and the counts of g. It
// is for a store with several transports, such as one for each of several
// credentials.
func (g *Gate) Share(next http.RoundTripper) http.RoundTripper { return &sharedGate{g, next} }

type sharedGate struct {
	gate *Gate
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (e *sharedGate) RoundTrip(req *http.Request) (*http.Response, error) {
	return e.gate.pass(req, e.next)
}

// Useful returns how many requests a user with enough work should have in flight or
// waiting now: a few more than may be in flight, so that the limit is reached and can
// grow, and twice as many if the part that Grant has set is the limit, so that
// Pressed says that there is need for more. Further requests would only wait.
func (g *Gate) Useful() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.concurrency()
	more := max(1, n/4)
	if n == g.share {
		more = n
	}
	return min(n+more, g.total)
}

// Stats returns the counts.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.InFlight, s.Waiting, s.Limit = g.inFlight, len(g.waiting), g.concurrency()
	return s
}

// CountRetry counts a request that is sent again, for [Retry.OnRetry].
func (g *Gate) CountRetry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Retried++
}

// RoundTrip implements [http.RoundTripper]. A waiting request ends only with its
// context.
func (g *Gate) RoundTrip(req *http.Request) (*http.Response, error) { return g.pass(req, g.next) }

func (g *Gate) pass(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if err := g.enter(req.Context()); err != nil {
		closeBody(req)
		return nil, err
	}
	g.mu.Lock()
	g.stats.Requests++
	full := g.inFlight >= g.concurrency()
	g.mu.Unlock()
	// The time of a body depends on its length and is not a measure of the store.
	a := answer{began: time.Now(), timed: req.Body == nil, full: full}
	resp, err := next.RoundTrip(req)
	a.ended = time.Now()
	refused := err == nil && overloaded(resp)
	// A cancelled request is not a measure of the store, unless it took too long.
	cancelled := err != nil && errors.Is(req.Context().Err(), context.Canceled)
	a.overloaded = refused || err != nil && !cancelled
	g.mu.Lock()
	switch {
	case refused:
		g.stats.Refused++
	case err != nil:
		g.stats.Failed++
	}
	if !cancelled {
		g.control.observe(a)
	}
	g.wake()
	g.mu.Unlock()
	if err != nil {
		g.release()
		return nil, err
	}
	resp.Body = &heldBody{ReadCloser: resp.Body, release: sync.OnceFunc(g.release)}
	return resp, nil
}

// overloaded reports whether a store has refused a request because it is
// overloaded.
func overloaded(r *http.Response) bool {
	return r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusServiceUnavailable
}

// enter waits for the hours, for a slot, and for the rate.
func (g *Gate) enter(ctx context.Context) error {
	for {
		if err := g.hours.wait(ctx); err != nil {
			return err
		}
		if err := g.acquire(ctx); err != nil {
			return err
		}
		if g.rate != nil {
			if err := g.begin(ctx); err != nil {
				g.release()
				return err
			}
		}
		if g.hours.open(time.Now()) {
			return nil
		}
		g.release() // the hours ended while the request waited
	}
}

// begin waits until the rate allows a request to begin. One request waits for its
// time, and the others wait for that one: a reservation by each would outlast a
// change of the rate.
func (g *Gate) begin(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	for {
		g.mu.Lock()
		still, granted := g.stopped, g.granted
		g.mu.Unlock()
		var soon <-chan time.Time // never
		cancel := func() {}
		if !still {
			r := g.rate.Reserve()
			if r.Delay() == 0 {
				return nil
			}
			timer := time.NewTimer(r.Delay())
			soon, cancel = timer.C, func() { timer.Stop(); r.Cancel() }
		}
		g.signalPressed()
		select {
		case <-soon:
			return nil
		case <-granted:
			cancel()
		case <-ctx.Done():
			cancel()
			return ctx.Err()
		}
	}
}

// acquire waits for a slot and takes it.
func (g *Gate) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.inFlight < g.concurrency() && len(g.waiting) == 0 {
		g.begins()
		g.mu.Unlock()
		return nil
	}
	if g.inFlight >= g.share {
		g.signalPressed()
	}
	pass := make(chan struct{})
	g.waiting = append(g.waiting, pass)
	g.mu.Unlock()
	select {
	case <-pass:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == pass {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	g.inFlight-- // the slot was assigned meanwhile
	g.wake()
	return ctx.Err()
}

// begins takes a slot. The caller holds the lock.
func (g *Gate) begins() {
	g.inFlight++
	g.most = max(g.most, g.inFlight)
}

// release frees a slot.
func (g *Gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	g.wake()
}

// wake assigns free slots to waiting requests. The caller holds the lock.
func (g *Gate) wake() {
	for len(g.waiting) > 0 && g.inFlight < g.concurrency() {
		g.begins()
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
}

// heldBody keeps the slot of its request until it is closed.
type heldBody struct {
	io.ReadCloser
	release func()
}

func (b *heldBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// closeBody closes the body of a request that is not sent, as a RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // the error of the request says more
	}
}
