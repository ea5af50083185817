package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/throttle"
)

// A fakeDatabase has the shares of processes, as the real one does.
type fakeDatabase struct {
	mu         sync.Mutex
	version    int64
	rows       map[string]fakeRow
	followers  map[string]func(string)
	statements int
	told       int

	trouble func(ctx context.Context, process string) error // of a statement: it may stall or fail
	late    func() bool                                     // a write that fails is carried out later
	deaf    bool                                            // no notifications are sent
}

type fakeRow struct {
	holding
	lease time.Time
}

// fakeSession is the database as one process reaches it.
type fakeSession struct {
	*fakeDatabase
	process string
}

func (s fakeSession) enter(ctx context.Context) error {
	time.Sleep(time.Millisecond)
	if s.trouble == nil {
		return nil
	}
	return s.trouble(ctx, s.process)
}

func (s fakeSession) Read(ctx context.Context, _ string) (v division, err error) {
	if err := s.enter(ctx); err != nil {
		return v, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statements++
	v.version, v.now = s.version, time.Now().UnixMicro()
	for _, r := range s.rows {
		if r.lease.After(time.Now()) {
			v.all = append(v.all, r.holding)
		}
	}
	return v, nil
}

// Write loses the answer if there is trouble.
func (s fakeSession) Write(ctx context.Context, store string, version int64, mine holding, lease time.Duration, tell bool) (bool, error) {
	err := s.enter(ctx)
	if err != nil && s.late() {
		time.AfterFunc(3*time.Second, func() { s.write(store, version, mine, lease, tell) })
		return false, err
	}
	return s.write(store, version, mine, lease, tell) && err == nil, err
}

func (s fakeSession) write(store string, version int64, mine holding, lease time.Duration, tell bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statements++
	if version != s.version {
		return false
	}
	s.version++
	s.rows[mine.process] = fakeRow{mine, time.Now().Add(lease)}
	if tell && !s.deaf {
		for p, f := range s.followers {
			if s.told++; p != mine.process {
				go f(store)
			}
		}
	}
	return true
}

func (s fakeSession) Follow(ctx context.Context, process string, f func(string)) error {
	s.mu.Lock()
	s.followers[process] = f
	s.mu.Unlock()
	f("")
	<-ctx.Done()
	return ctx.Err()
}

// A farService answers requests of all processes after a while, and counts them.
type farService struct {
	takes time.Duration

	mu     sync.Mutex
	now    int
	most   int
	begun  []time.Time
	served int
}

func (s *farService) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.begun = append(s.begun, time.Now())
	s.served++
	s.mu.Unlock()
	time.Sleep(s.takes)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(nil)}, nil
}

// A gated is a store with a gate, as each process has one.
type gated struct {
	*throttle.Gate
	limits throttle.Limits

	mu  sync.Mutex
	has share
}

func (*gated) Name() string             { return "far" }
func (g *gated) Limits() (float64, int) { return g.limits.PerSecond, g.limits.Concurrency }
func (g *gated) Grant(r float64, n int) {
	g.mu.Lock()
	g.has = share{int64(r * milli), int64(n)}
	g.mu.Unlock()
	g.Gate.Grant(r, n)
}

func (g *gated) concurrency() int64 { g.mu.Lock(); defer g.mu.Unlock(); return g.has.concurrency }

// send sends requests, so many at once, while ctx lasts.
func (g *gated) send(ctx context.Context, atOnce int) {
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://far", nil)
				if err != nil {
					panic(err)
				}
				if resp, err := g.RoundTrip(req); err == nil {
					_ = resp.Body.Close()
				}
			}
		})
	}
	all.Wait()
}

type testCluster struct {
	t      *testing.T
	ctx    context.Context
	db     *fakeDatabase
	far    *farService
	stores []*gated
	uses   []*use
}

// newTestCluster starts processes that share a store, and end with the test. prepare,
// unless nil, injects faults.
func newTestCluster(t *testing.T, processes int, limits throttle.Limits, prepare func(*fakeDatabase)) *testCluster {
	ctx, cancel := context.WithCancel(t.Context())
	c := &testCluster{t: t, ctx: ctx, db: &fakeDatabase{rows: map[string]fakeRow{}, followers: map[string]func(string){}}, far: &farService{takes: 30 * time.Millisecond}}
	if prepare != nil {
		prepare(c.db)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	for i := range processes {
		s := &gated{Gate: throttle.NewGate(c.far, limits), limits: limits}
		c.stores = append(c.stores, s)
		name := fmt.Sprint("process ", i)
		d := newDivider(fakeSession{c.db, name}, name, []Store{s}, 20*time.Second, 2*time.Second, &outage{log: slog.New(slog.DiscardHandler)})
		c.uses = append(c.uses, d.uses...)
		all.Go(func() { d.serve(ctx) })
	}
	return c
}

// sending has a process send requests, as many at once as there may be, until the
// function it returns is called.
func (c *testCluster) sending(process int) (stop func()) {
	return c.sendingSome(process, c.stores[process].limits.Concurrency)
}

// sendingSome has a process send so many requests at once.
func (c *testCluster) sendingSome(process, atOnce int) (stop func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	done := make(chan struct{})
	go func() { defer close(done); c.stores[process].send(ctx, atOnce) }()
	return func() { cancel(); <-done }
}

func (c *testCluster) within(d time.Duration, what string, holds func() bool) {
	c.t.Helper()
	begun := time.Now()
	for !holds() {
		if time.Since(begun) > d {
			c.t.Fatalf("%s: not within %v", what, d)
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Logf("%s: %v", what, time.Since(begun))
}

func (c *testCluster) checkLimits(limits throttle.Limits) {
	c.t.Helper()
	c.far.mu.Lock()
	defer c.far.mu.Unlock()
	if c.far.most > limits.Concurrency {
		c.t.Errorf("%d requests at once, of %d allowed", c.far.most, limits.Concurrency)
	}
}

// Shares follow demand within tens of milliseconds.
func TestSharesFollowDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := throttle.Limits{Concurrency: 32}
		c := newTestCluster(t, 8, limits, nil)
		time.Sleep(3 * time.Second)
		for i, s := range c.stores {
			if s.concurrency() != 1 {
				t.Errorf("process %d is idle with %d slots", i, s.concurrency())
			}
		}
		stop := c.sending(0)
		c.within(20*time.Millisecond, "all that there is for one process", func() bool { return c.stores[0].concurrency() == 25 })
		for i := 1; i < 8; i++ {
			defer c.sending(i)()
		}
		c.within(300*time.Millisecond, "even shares of eight", func() bool {
			for _, s := range c.stores {
				if s.concurrency() != 4 {
					return false
				}
			}
			return true
		})
		stop()
		c.within(quietAfter+300*time.Millisecond, "the share of one that has ended for the others", func() bool {
			sum := int64(0)
			for _, s := range c.stores[1:] {
				sum += s.concurrency()
			}
			return sum == 31
		})
		c.checkLimits(limits)
	})
}

// A process whose requests use less than an even share leaves the rest to those that
// can use it, as at the end of a run, and has its share again as soon as it needs it.
func TestSharesFollowUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := throttle.Limits{Concurrency: 32}
		c := newTestCluster(t, 8, limits, nil)
		defer c.sending(0)()
		var stops []func()
		for i := 1; i < 8; i++ {
			stops = append(stops, c.sending(i))
		}
		time.Sleep(3 * time.Second)
		if n := c.stores[0].concurrency(); n != 4 {
			t.Errorf("one of eight has %d slots of 32", n)
		}
		for i, stop := range stops {
			stop()
			stops[i] = c.sendingSome(1+i, 1)
		}
		c.within(2*time.Second, "what seven do not use for one", func() bool { return c.stores[0].concurrency() >= 18 })
		time.Sleep(3 * time.Second)
		c.db.mu.Lock()
		c.db.statements, c.db.told = 0, 0
		c.db.mu.Unlock()
		time.Sleep(20 * time.Second)
		c.db.mu.Lock()
		if most := 8 * 14 * 2; c.db.statements > most || c.db.told > 0 {
			t.Errorf("%d statements in 20 s, of %d allowed, and %d times another process was told", c.db.statements, most, c.db.told)
		}
		c.db.mu.Unlock()
		stops[0]()
		defer c.sending(1)()
		c.within(300*time.Millisecond, "an even share of the rest for another", func() bool { return c.stores[1].concurrency() >= 9 })
		for _, stop := range stops[1:] {
			stop()
		}
		c.checkLimits(limits)
	})
}

// Without demand, or with constant demand, a process queries the database twice in
// 1.5 to 2 s, and sends no notification.
func TestSharesAreQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 8, throttle.Limits{Concurrency: 32}, nil)
		check := func(what string) {
			t.Helper()
			c.db.mu.Lock()
			c.db.statements, c.db.told = 0, 0
			c.db.mu.Unlock()
			time.Sleep(time.Minute)
			c.db.mu.Lock()
			defer c.db.mu.Unlock()
			if most := 8 * 40 * 2; c.db.statements > most || c.db.told > 0 {
				t.Errorf("%s: %d statements in a minute, of %d allowed, and %d times another process was told", what, c.db.statements, most, c.db.told)
			}
		}
		time.Sleep(5 * time.Second)
		check("idle")
		for i := range 8 {
			defer c.sending(i)()
		}
		time.Sleep(5 * time.Second)
		check("all send")
	})
}

// All processes together never exceed the limits, though their demand changes all the
// time, some stall while they divide, the database fails or loses answers, and
// notifications are lost.
func TestSharesInTrouble(t *testing.T) {
	for _, limits := range []throttle.Limits{{Concurrency: 32}, {Concurrency: 3}, {PerSecond: 40, Concurrency: 32}} {
		for _, deaf := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v deaf=%t", limits, deaf), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { inTrouble(t, limits, deaf) })
			})
		}
	}
}

func inTrouble(t *testing.T, limits throttle.Limits, deaf bool) {
	const minutes = 2
	random := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	chance := func(n int) bool { mu.Lock(); defer mu.Unlock(); return random.IntN(n) == 0 }
	c := newTestCluster(t, 6, limits, func(db *fakeDatabase) {
		db.deaf, db.late = deaf, func() bool { return chance(3) }
		db.trouble = func(ctx context.Context, process string) error {
			db.mu.Lock()
			lease := db.rows[process].lease
			db.mu.Unlock()
			switch {
			case time.Until(lease) < 12*time.Second: // when it is over, the process is on its own
			case chance(20):
				return errors.New("the connection was lost")
			case chance(20):
				select {
				case <-time.After(rand.N(9 * time.Second)):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		}
	})
	ctx, cancel := context.WithTimeout(c.ctx, minutes*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range c.stores {
		all.Go(func() {
			for ctx.Err() == nil {
				sending, stop := context.WithTimeout(ctx, time.Duration(rand.N(20_000))*time.Millisecond)
				c.stores[i].send(sending, 1+rand.IntN(limits.Concurrency))
				stop()
				select {
				case <-time.After(time.Duration(rand.N(5_000)) * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
	c.checkLimits(limits)
	c.far.mu.Lock()
	defer c.far.mu.Unlock()
	least := minutes * 60 * limits.Concurrency * 1000 / 30 / 4
	if limits.PerSecond > 0 {
		// Each process may have a token more than its rate after each change.
		for from := range c.far.begun {
			to := from
			for to < len(c.far.begun) && c.far.begun[to].Sub(c.far.begun[from]) < 10*time.Second {
				to++
			}
			if most := 10*int(limits.PerSecond) + 5*len(c.stores); to-from > most {
				t.Fatalf("%d requests in 10 s, of %d allowed", to-from, most)
			}
		}
		least = minutes * 60 * int(limits.PerSecond) / 4
	}
	if c.far.served < least {
		t.Errorf("%d requests in %d minutes; expected are %d at least", c.far.served, minutes, least)
	}
}

// A process that does not reach the database keeps its share for a lease, then an even part at most.
func TestSharesWithoutDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut sync.Map
		c := newTestCluster(t, 4, throttle.Limits{Concurrency: 32}, func(db *fakeDatabase) {
			db.late = func() bool { return false }
			db.trouble = func(_ context.Context, process string) error {
				if _, ok := cut.Load(process); ok {
					return errors.New("no route")
				}
				return nil
			}
		})
		defer c.sending(0)()
		time.Sleep(4 * time.Second)
		if n := c.stores[0].concurrency(); n != 29 {
			t.Fatalf("%d slots", n)
		}
		cut.Store("process 0", true)
		time.Sleep(16 * time.Second)
		defer c.sending(1)()
		time.Sleep(time.Second)
		if a, b := c.stores[0].concurrency(), c.stores[1].concurrency(); a != 29 || b != 1 {
			t.Errorf("during the lease: %d and %d slots", a, b)
		}
		time.Sleep(6 * time.Second)
		if a, b := c.stores[0].concurrency(), c.stores[1].concurrency(); a != 8 || b != 30 {
			t.Errorf("after the lease: %d and %d slots", a, b)
		}
		cut.Clear()
		time.Sleep(4 * time.Second)
		if a, b := c.stores[0].concurrency(), c.stores[1].concurrency(); a != 15 || b != 15 {
			t.Errorf("together again: %d and %d slots", a, b)
		}
	})
}

// Where slots are few, work is left to the processes that have one, and no process waits for another's.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := throttle.Limits{Concurrency: 2}
		c := newTestCluster(t, 4, limits, nil)
		time.Sleep(3 * time.Second)
		claim := func() (good []int) {
			got := make([]bool, len(c.uses))
			var all sync.WaitGroup
			for i, u := range c.uses {
				all.Go(func() { got[i] = u.claim(t.Context()) })
			}
			all.Wait()
			for i, ok := range got {
				if ok {
					good = append(good, i)
				}
			}
			return good
		}
		first := claim()
		if len(first) != 2 {
			t.Fatalf("%v have a claim to 2 slots", first)
		}
		for _, i := range first {
			defer c.sending(i)()
		}
		for range 15 {
			time.Sleep(2 * time.Second)
			if now := claim(); !slices.Equal(now, first) {
				t.Errorf("%v have a claim, %v had", now, first)
			}
		}
		if waiting := c.db.waiting(); waiting > 0 {
			t.Errorf("%d processes wait", waiting)
		}
		c.checkLimits(limits)
	})
}

// waiting returns how many processes wait for a slot.
func (d *fakeDatabase) waiting() (n int) {
	time.Sleep(time.Second)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rows {
		if r.since > 0 && !r.served {
			n++
		}
	}
	return n
}

// If the database executes a write after its answer was lost and the process has
// divided again, the write changes nothing.
func TestLateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &fakeDatabase{rows: map[string]fakeRow{}, followers: map[string]func(string){}, late: func() bool { return true }}
		lost := false
		db.trouble = func(context.Context, string) error {
			if lost && db.statements%2 == 1 { // the write after the read
				lost = false
				return errors.New("the connection was lost")
			}
			return nil
		}
		g := &gated{Gate: throttle.NewGate(new(farService), throttle.Limits{Concurrency: 8}), limits: throttle.Limits{Concurrency: 8}}
		d := newDivider(fakeSession{db, "a"}, "a", []Store{g}, 20*time.Second, 2*time.Second, &outage{log: slog.New(slog.DiscardHandler)})
		u := d.uses[0]
		attempt := func(wants, works bool) {
			t.Helper()
			u.wants = wants
			if ok, err := d.attempt(t.Context(), u); ok != works || err == nil != works {
				t.Fatal(ok, err)
			}
		}
		attempt(true, true)
		lost = true
		attempt(false, false) // releases all slots but one; the database executes this later
		attempt(true, true)   // as the database has it still
		time.Sleep(10 * time.Second)
		if row := db.rows["a"]; row.concurrency < g.concurrency() {
			t.Errorf("the process uses %d slots, and the database has %d", g.concurrency(), row.concurrency)
		}
	})
}
