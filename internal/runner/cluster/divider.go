package cluster

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/stocktake/stocktake/internal/throttle"
)

// shareRows holds the division of stores among processes.
type shareRows interface {
	// Read returns the current division of a store, without shares whose lease has
	// expired.
	Read(ctx context.Context, store string) (division, error)

	// Write sets the share of a process for the length of a lease, unless the
	// division has changed since the version: then it returns false. tell notifies
	// the others. After an error the share may or may not have been set.
	Write(ctx context.Context, store string, version int64, mine holding, lease time.Duration, tell bool) (bool, error)

	// Follow calls f with the name of each store whose division another process
	// changes with a notification, and with an empty name when notifications may have
	// been missed, until ctx ends or it fails.
	Follow(ctx context.Context, process string, f func(store string)) error
}

// Times of dividing.
const (
	dividePause = 50 * time.Millisecond  // between two checks of a store that is in use
	quietAfter  = 250 * time.Millisecond // a process releases its share after this long without a request
	holdSlot    = 5 * time.Second        // a process keeps its slot for at least this long if slots are few
	followAgain = time.Second            // pause after Follow has failed
	claimWithin = time.Second            // a claim is answered within this time
	conflicts   = 8                      // attempts of one division that may fail because another process wrote first
)

// A divider keeps the shares of this process in stores with limits. Whenever its
// demand changes it divides at once, and notifies the processes that must release
// something or can take something. Polling with each beat covers lost notifications.
//
// A process reads the division, computes its own share, and writes it if the division
// is still the one that it has read. It reduces its use before it writes a smaller
// share, and increases it only after a larger share was written. So at each moment
// the rows of all processes add up to no more than the limits, and no process exceeds
// its row. No lock is held while a process computes, so a stalled process does not
// block the others.
type divider struct {
	rows        shareRows
	process     string
	lease, beat time.Duration
	outage      *outage
	uses        []*use
}

// A use is the share of this process in a store and its state.
type use struct {
	store Store
	total share         // limits of the store
	told  chan struct{} // receives when another process has changed the division
	asks  chan asker    // see claim

	row     share     // upper bound of what the database has recorded for this process
	due     share     // what this process is entitled to once the others have released it
	pressed bool      // requests have waited since the last check
	claimed bool      // wants is set by a claim alone: no request has waited
	wants   bool      // the process can use more than is left to idle processes
	said    bool      // wants, as recorded in the database
	meter   meter     // measures what the process can use
	needs   share     // what the process can use, as recorded or about to be; 0: any amount
	last    time.Time // when there was demand
	asked   time.Time // of the last attempt to divide
	wrote   time.Time // of the last attempt that renewed the lease; zero: the next attempt must renew it

	mu      sync.Mutex
	has     share       // what the process may use
	modest  bool        // has is less than the process could get on demand
	until   time.Time   // when the lease expires
	known   int64       // processes with shares, including this one
	expires *time.Timer // fires when the lease expires
}

func newDivider(rows shareRows, process string, stores []Store, lease, beat time.Duration, o *outage) *divider {
	d := &divider{rows: rows, process: process, lease: lease, beat: beat, outage: o}
	for _, s := range slices.SortedFunc(slices.Values(stores), func(a, b Store) int { return cmp.Compare(a.Name(), b.Name()) }) {
		perSecond, concurrency := s.Limits()
		u := &use{store: s, total: share{int64(perSecond * milli), int64(concurrency)}, known: 1, told: make(chan struct{}, 1), asks: make(chan asker)}
		if u.total != (share{}) {
			u.expires = time.AfterFunc(lease, u.expire)
			s.Grant(0, 0) // until it has a share
			d.uses = append(d.uses, u)
		}
	}
	return d
}

// use returns the use that this process makes of a store; nil if the store has no
// limits.
func (d *divider) use(store string) *use {
	for _, u := range d.uses {
		if u.store.Name() == store {
			return u
		}
	}
	return nil
}

// serve divides until ctx ends.
func (d *divider) serve(ctx context.Context) {
	if len(d.uses) == 0 {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, u := range d.uses {
		all.Go(func() { d.keep(ctx, u) })
	}
	keepFollowing(ctx, func() error { return d.rows.Follow(ctx, d.process, d.tell) }, func(err error) {
		d.outage.log.Debug("cannot listen for changed shares of stores; the next beat finds them", "err", err)
	})
}

// tell requests a check of a store, or of all stores if the name is empty.
func (d *divider) tell(store string) {
	for _, u := range d.uses {
		if store == "" || u.store.Name() == store {
			select {
			case u.told <- struct{}{}:
			default: // one is already requested
			}
		}
	}
}

// keep maintains the share of one store.
func (d *divider) keep(ctx context.Context, u *use) {
	var next time.Time // of the next check
	told, pressed := true, u.store.Pressed()
	var asked []asker
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-u.told:
			told = true
		case <-pressed:
			u.pressed = true
		case a := <-u.asks:
			asked = append(asked, a)
			u.claimed = !u.wants && !u.pressed
		case <-ctx.Done():
			return
		}
		if pause := time.Until(next); pause > 0 {
			timer.Reset(pause)
			continue
		}
		pause := dividePause
		if d.look(u) || told && u.concerned() {
			told = false
			if err := d.divide(ctx, u); err != nil && ctx.Err() == nil {
				// This process keeps its share until its lease expires, then uses at
				// most an even part.
				d.outage.failed("divide the limits of store "+u.store.Name(), err)
				pause = d.beat
			}
		}
		if len(asked) > 0 {
			u.answer(asked)
			asked = nil
		}
		next = time.Now().Add(pause)
		wait := time.Until(u.asked.Add(d.beat)) - rand.N(d.beat/4) // so that processes do not act in step
		if u.concerned() {                                         // so that the end of this state is noticed
			wait = dividePause
		}
		timer.Reset(max(wait, dividePause))
	}
}

// grant limits the store to a share.
func (u *use) grant(s share) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.modest = !u.wants || u.needs != share{}
	u.set(s)
	u.expires.Reset(time.Until(u.until))
}

// set requires the lock.
func (u *use) set(s share) {
	u.has = s
	u.store.Grant(float64(s.rate)/milli, int(min(s.concurrency, math.MaxInt32)))
}

// renewed records the end of the lease, and how many processes there are.
func (u *use) renewed(until time.Time, known int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until, u.known = until, int64(known)
}

// likely returns how many requests this process may have in flight now, or could have
// if it asked for more.
func (u *use) likely() int {
	if u.total.concurrency == 0 {
		return math.MaxInt32
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.has.concurrency
	if u.modest {
		n = max(n, u.total.concurrency/u.known)
	}
	return int(max(n, 1))
}

// expire limits a process whose lease has expired to an even part: others may take
// its share.
func (u *use) expire() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Now().Before(u.until) {
		return // it was renewed meanwhile
	}
	u.set(u.has.within(share{u.total.rate / u.known, u.total.concurrency / u.known}))
}

// concerned reports whether changes by others matter before the next beat.
func (u *use) concerned() bool { return u.wants || u.said || u.row != u.has || u.asked.IsZero() }

// look reports whether the store must be divided now.
func (d *divider) look(u *use) bool {
	now := time.Now()
	asked := u.demand(now)
	if u.pressed || u.claimed {
		u.last = now
		u.meter.reset(now)
	}
	if asked.Wanted() || u.pressed {
		u.claimed = false
	}
	u.wants = u.pressed || u.claimed || u.wants && now.Sub(u.last) < quietAfter
	u.pressed = false
	changed := u.measure()
	drained := u.row.rate > u.has.rate || u.row.concurrency > max(u.has.concurrency, int64(asked.InFlight))
	return u.said != u.wants || changed || drained || u.asked.IsZero() || now.Sub(u.asked) >= d.beat*3/4
}

// demand returns what this process has requested of the store since the last call,
// and measures it.
func (u *use) demand(now time.Time) throttle.Demand {
	d := u.store.Demand()
	u.meter.add(now, d.Sent, int64(d.Most))
	if d.Wanted() {
		u.last = now
	}
	return d
}

// measure reports whether the needs of this process have changed so much that others
// should know.
func (u *use) measure() bool {
	var needs share
	if u.wants {
		u.mu.Lock()
		known := u.known
		u.mu.Unlock()
		needs = u.meter.needs(u.total, known)
	}
	if !u.needs.differ(needs) {
		return false
	}
	u.needs = needs
	return true
}

// divide takes the share that this process is entitled to now.
func (d *divider) divide(ctx context.Context, u *use) error {
	ctx, cancel := context.WithTimeout(ctx, d.lease/4)
	defer cancel()
	u.asked = time.Now()
	for n := 1; ; n++ {
		ok, err := d.attempt(ctx, u)
		if err != nil || ok {
			return err
		}
		if n == conflicts {
			u.asked = time.Time{} // try again at the next check
			return nil
		}
		select {
		case <-time.After(rand.N(time.Duration(n) * 2 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// attempt returns false if another process has divided the store meanwhile.
func (d *divider) attempt(ctx context.Context, u *use) (ok bool, err error) {
	begun := time.Now()
	v, err := d.rows.Read(ctx, u.store.Name())
	if err != nil {
		return false, err
	}
	row, others := v.split(d.process)
	me := row
	me.needs = u.needs
	switch {
	case !u.wants:
		me.since = 0
	case u.claimed && me.since == 0:
		me.since = ifLeft + v.now
	case me.since == 0 || me.since >= ifLeft && !u.claimed:
		me.since = v.now
	}
	var free share
	u.due, free = divide(u.total, me, others, v.now, holdSlot)
	if served := u.wants && free.usable(u.total); served != me.served {
		me.served = served
		if u.wants && (served || !u.claimed) {
			me.since = v.now
		}
	}
	if low := u.has.within(free); low != u.has {
		u.grant(low)
	}
	me.share = share{free.rate, max(free.concurrency, int64(u.demand(begun).InFlight))}
	if me != row || begun.Sub(u.wrote) >= d.beat*3/4 {
		if ok, err := d.rows.Write(ctx, u.store.Name(), v.version, me, d.lease, tells(row, me, u.due, others)); err != nil || !ok {
			u.row = share{max(u.row.rate, me.rate), max(u.row.concurrency, me.concurrency)}
			if err != nil { // the database may still execute it, unless another write precedes it
				u.wrote = time.Time{}
			}
			return false, err
		}
		u.renewed(begun.Add(d.lease), len(others)+1)
		u.wrote = begun
	}
	u.row, u.said = me.share, u.wants
	u.grant(free)
	return true, nil
}

// An asker receives whether this process can have a slot: one request in flight. See claim.
type asker chan<- bool

// claim requests a slot if this process has none. It returns whether the process has
// a slot, or will have one when others have released it. It returns false if others
// keep all slots: they should do the work. It returns true if the database cannot be
// read.
func (u *use) claim(ctx context.Context) bool {
	if !u.tight() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	answer := make(chan bool, 1)
	select {
	case u.asks <- answer:
	case <-ctx.Done():
		return true
	}
	select {
	case ok := <-answer:
		return ok
	case <-ctx.Done():
		return true
	}
}

// tight reports whether this process has no slot.
func (u *use) tight() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.total.concurrency > 0 && u.has.concurrency == 0
}

// answer answers those that request a slot. If there is none, this process stops
// waiting for it, unless it has waiting requests.
func (u *use) answer(asked []asker) {
	ok := u.asked.IsZero() || u.due.concurrency > 0
	if !ok && u.claimed {
		u.wants = false
	}
	u.claimed = false
	for _, a := range asked {
		a <- ok
	}
}

// tells reports whether to notify others of a changed row: if the process needs more
// than is free, or releases something that others want.
func tells(was, is holding, due share, others []holding) bool {
	more := func(need, due, has int64) bool { return due > has && (need == 0 || need > has) }
	if is.since > 0 && (more(is.needs.rate, due.rate, is.rate) || more(is.needs.concurrency, due.concurrency, is.concurrency)) {
		return true
	}
	releases := is.rate < was.rate || is.concurrency < was.concurrency || is.since == 0 && was.since > 0
	return releases && slices.ContainsFunc(others, func(h holding) bool { return h.since > 0 })
}
