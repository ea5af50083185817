package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// A Store is a store of the settings with limits that hold for all processes together.
type Store interface {
	Name() string

	// Limits returns how many requests all processes may begin in a second, and have in
	// flight at once. 0: any number.
	Limits() (perSecond float64, places int)

	// Demand returns whether this process has sent requests, or has had some waiting,
	// since it was asked last, and how many are in flight.
	Demand() (wanted bool, inFlight int)

	// Grant sets what this process may do of both from now on. What has no limit is
	// ignored; 0 lets no request begin.
	Grant(perSecond float64, places int)
}

// A share is a part of a store's limits that a process may use.
type share struct {
	rate   int64 // requests in 1,000 seconds
	places int64
}

// milli is what rates are counted in.
const milli = 1000

// A use is what this process has of a store.
type use struct {
	store Store
	total share
	has   share     // what it may use
	until time.Time // by its lease
	known int64     // processes with shares, this one included
}

func (r *Runner) openShares(stores []Store) {
	// One order of locks for all processes.
	stores = slices.SortedFunc(slices.Values(stores), func(a, b Store) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, s := range stores {
		perSecond, places := s.Limits()
		u := &use{store: s, total: share{int64(perSecond * milli), int64(places)}, known: 1}
		if u.total != (share{}) {
			s.Grant(0, 0) // until it has a share
			r.uses = append(r.uses, u)
		}
	}
}

// shareLocks keeps processes from dividing a store at the same time.
const shareLocks = "stocktake store shares"

// A holding is the share of a process as the database has it.
type holding struct {
	process string
	share
	served int64 // when it had a place last, or began to wait for one; 0: it has nothing to send
}

// renewShares takes a share of each store with limits, for the length of a lease. A
// store that another process divides at the moment waits for the next beat, and its
// share is nil: that process may stand still, and no beat may wait for it.
// What this process gives up others get at its next beat, when it no longer uses it.
func (r *Runner) renewShares(ctx context.Context, tx postgres.Tx) ([]*share, error) {
	got := make([]*share, len(r.uses))
	for i, u := range r.uses {
		var locked bool
		lock := `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`
		if err := tx.QueryRow(ctx, lock, shareLocks+u.store.Name()).Scan(&locked); err != nil {
			return nil, err
		}
		if !locked {
			continue
		}
		all, err := holdings(ctx, tx, u.store.Name())
		if err != nil {
			return nil, err
		}
		me := holding{process: r.id}
		all = slices.DeleteFunc(all, func(h holding) bool {
			if h.process == r.id {
				me = h
			}
			return h.process == r.id
		})
		wanted, inFlight := u.store.Demand()
		switch {
		case !wanted:
			me.served = 0
		case me.served == 0:
			me.served = 1 // before all that have had a place
		}
		u.known = int64(len(all)) + 1
		s := divide(u.total, me, all)
		got[i] = &s
		if wanted && s.usable(u.total) {
			me.served = tx.Now
		}
		kept := share{max(s.rate, u.has.rate), max(s.places, int64(inFlight), u.has.places)}
		if _, err := tx.Exec(ctx, `INSERT INTO store_shares (store, process, rate, places, served, lease) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (store, process) DO UPDATE SET rate = $3, places = $4, served = $5, lease = $6`,
			u.store.Name(), r.id, kept.rate, kept.places, me.served, tx.Now+r.opts.Lease.Microseconds()); err != nil {
			return nil, err
		}
	}
	return got, nil
}

func holdings(ctx context.Context, tx postgres.Tx, store string) (all []holding, err error) {
	rows, err := tx.Query(ctx, `SELECT process, rate, places, served FROM store_shares WHERE store = $1 AND lease > $2`, store, tx.Now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h holding
		if err := rows.Scan(&h.process, &h.rate, &h.places, &h.served); err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, rows.Err()
}

// usable reports whether a request may begin with a share of a store.
func (s share) usable(total share) bool {
	return (total.rate == 0 || s.rate > 0) && (total.places == 0 || s.places > 0)
}

// Parts of a store for processes that have nothing to send now, so that their next
// request need not wait for a beat.
const (
	idleRate   = 16 // each gets this part of an even share of the rate
	idlePlaces = 4  // each gets a place if there are so many for each process
)

// divide returns the share of me of a store, beside others. Processes with something to
// send have even shares, the others little. No two processes together have more than
// there is: what others still hold is not given away. Where there are fewer places
// than processes that want one, those that have waited longest are next.
func divide(total share, me holding, others []holding) (s share) {
	wanting := []holding{}
	held := share{}
	for _, h := range append(slices.Clone(others), me) {
		if h.served > 0 {
			wanting = append(wanting, h)
		}
		if h.process != me.process {
			held.rate, held.places = held.rate+h.rate, held.places+h.places
		}
	}
	all, n := int64(len(others))+1, int64(len(wanting))
	slices.SortFunc(wanting, func(a, b holding) int {
		return cmp.Or(cmp.Compare(a.served, b.served), cmp.Compare(a.process, b.process))
	})
	place := int64(slices.IndexFunc(wanting, func(h holding) bool { return h.process == me.process }))
	idle := share{rate: total.rate / (idleRate * all)}
	if total.places >= idlePlaces*all {
		idle.places = 1
	}
	if place < 0 {
		s = idle
	} else {
		s.rate = (total.rate - idle.rate*(all-n)) / n
		free := total.places - idle.places*(all-n)
		if s.places = free / n; place < free%n {
			s.places++
		}
		if free < n { // what has become free is for those that have waited longer
			for _, h := range wanting[:place] {
				held.places += max(0, 1-h.places)
			}
		}
	}
	s.rate = max(min(s.rate, total.rate-held.rate), 0)
	s.places = max(min(s.places, total.places-held.places), 0)
	return s
}

// grantShares has the stores keep to the shares that were got. After a failure, or
// where there is none, each keeps what it has for as long as its lease lasts, and then an even part of all
// processes that there were, if that is less.
func (r *Runner) grantShares(got []*share, asked time.Time, err error) {
	for i, u := range r.uses {
		switch {
		case err == nil && got[i] != nil:
			u.has, u.until = *got[i], asked.Add(r.opts.Lease)
		case time.Now().After(u.until):
			u.has = share{min(u.has.rate, u.total.rate/u.known), min(u.has.places, u.total.places/u.known)}
		default:
			continue
		}
		u.store.Grant(float64(u.has.rate)/milli, int(min(u.has.places, math.MaxInt32)))
	}
}
