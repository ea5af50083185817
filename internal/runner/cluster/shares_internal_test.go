package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// simulated lets processes renew their shares in turn, a second a round; wants says which of them
// have something to send. What a process gives up becomes free at its next turn, since requests
// are in flight until then. After each turn, it checks that no more is used than exists. It
// returns how often each process could send, and how often a slot was taken from one that wanted it.
func simulated(t *testing.T, total share, rounds int, wants []bool) (usable []int, last []share, lost int) {
	t.Helper()
	kept := make([]holding, len(wants)) // as the database has it
	used := make([]share, len(wants))   // as processes do
	usable = make([]int, len(wants))
	order := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		now := int64(round+1) * time.Second.Microseconds()
		for _, i := range order.Perm(len(wants)) {
			me := kept[i]
			me.process = string(rune('a' + i))
			switch {
			case !wants[i]:
				me.since = 0
			case me.since == 0:
				me.since = now
			}
			var others []holding
			for j, h := range kept {
				if j != i && h.process != "" {
					others = append(others, h)
				}
			}
			due, got := divide(total, me, others, now, 5*time.Second)
			if got.rate > due.rate || got.concurrency > due.concurrency {
				t.Fatalf("%+v may be had of %+v", got, due)
			}
			if served := wants[i] && got.usable(total); served != me.served {
				if me.since = now; !served {
					lost++
				}
				me.served = served
			}
			if me.served {
				usable[i]++
			}
			me.share = share{max(got.rate, used[i].rate), max(got.concurrency, used[i].concurrency)}
			kept[i], used[i] = me, got
			var sum share
			for _, u := range used {
				sum.rate, sum.concurrency = sum.rate+u.rate, sum.concurrency+u.concurrency
			}
			if sum.rate > total.rate || sum.concurrency > total.concurrency {
				t.Fatalf("round %d: %+v in use of %+v", round, sum, total)
			}
		}
	}
	return usable, used, lost
}

// Processes with something to send have equal shares of all that the others do not
// keep. If slots are few, they take turns, and each turn lasts a while.
func TestDivide(t *testing.T) {
	total := share{rate: 160_000, concurrency: 32}
	_, last, _ := simulated(t, total, 10, []bool{true, true, false, false})
	if last[0] != (share{77_500, 15}) || last[1] != last[0] || last[2] != (share{2_500, 1}) {
		t.Errorf("two of four want: %+v", last)
	}
	if _, last, _ = simulated(t, total, 10, []bool{true}); last[0] != total {
		t.Errorf("alone: %+v", last)
	}
	for _, slots := range []int64{1, 2, 3} {
		const rounds = 200
		usable, _, lost := simulated(t, share{rate: 1000, concurrency: slots}, rounds, []bool{true, true, true, true, false})
		for i, n := range usable[:4] {
			if n < rounds*int(slots)/8 {
				t.Errorf("%d concurrency: process %d had one in %d of %d rounds", slots, i, n, rounds)
			}
		}
		if most := rounds * int(slots) / 5; lost < most/4 || lost > most {
			t.Errorf("%d concurrency: %d turns were over in %d rounds of a second, and each lasts 5", slots, lost, rounds)
		}
	}
}

// Whatever processes need, however they die and return, and in whatever order they
// divide, they never use more than there is. Those that need less than an even share
// have what they need, and all is given to those that can use it.
func TestDivideByNeeds(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 3))
		total := share{rate: int64(random.IntN(100_000)), concurrency: 1 + int64(random.IntN(64))}
		kept, used := map[string]holding{}, map[string]share{} // by process; the dead are in kept until their lease expires
		leases := map[string]int{}
		const lease = 20
		want := func(process string, round int) holding {
			me := kept[process]
			me.process, me.needs = process, share{}
			if random.IntN(3) == 0 {
				me.since = 0
				return me
			}
			if me.since == 0 {
				me.since = int64(round + 1)
			}
			if random.IntN(2) == 0 {
				me.needs = share{1 + random.Int64N(total.rate+1), 1 + random.Int64N(total.concurrency)}
			}
			return me
		}
		turn := func(me holding, round int) (due share) {
			var others []holding
			for process, h := range kept {
				if process != me.process {
					others = append(others, h)
				}
			}
			due, free := divide(total, me, others, int64(round+1), time.Microsecond)
			me.served = me.since > 0 && free.usable(total)
			if me.share = free; random.IntN(4) == 0 { // requests of before are in flight still
				me.share = share{max(free.rate, used[me.process].rate), max(free.concurrency, used[me.process].concurrency)}
			}
			used[me.process], kept[me.process], leases[me.process] = me.share, me, round+lease
			return due
		}
		check := func(when string) {
			t.Helper()
			var sum share
			for _, u := range used {
				sum.rate, sum.concurrency = sum.rate+u.rate, sum.concurrency+u.concurrency
			}
			if sum.rate > total.rate || sum.concurrency > total.concurrency {
				t.Fatalf("seed %d, %s: %+v in use of %+v", seed, when, sum, total)
			}
		}
		born := 0
		alive := []string{}
		for round := range 200 {
			switch n := random.IntN(20); {
			case n < 2 && len(alive) < 9:
				born++
				alive = append(alive, fmt.Sprint("process ", born))
			case n == 2 && len(alive) > 0: // its requests end with it, but its row stays
				i := random.IntN(len(alive))
				delete(used, alive[i])
				alive = slices.Delete(alive, i, i+1)
			}
			for process, end := range leases {
				if round >= end && !slices.Contains(alive, process) {
					delete(kept, process)
					delete(leases, process)
				}
			}
			if len(alive) > 0 {
				turn(want(alive[random.IntN(len(alive))], round), round)
			}
			check("a round")
		}

		// With constant demand, the shares become those that are due, which are all there is.
		for process := range kept {
			if !slices.Contains(alive, process) {
				delete(kept, process)
			}
		}
		var mine []holding
		var wanting int64
		for _, process := range alive {
			me := want(process, 300)
			if mine = append(mine, me); me.since > 0 {
				wanting++
			}
		}
		if wanting == 0 || wanting+int64(len(alive)) > total.concurrency {
			continue // turns are another test's
		}
		dues := map[string]share{}
		for range 20 {
			for _, me := range mine {
				h := kept[me.process]
				h.process, h.needs, h.since = me.process, me.needs, me.since
				dues[me.process] = turn(h, 300)
				check("the end")
			}
		}
		var sum share
		for _, me := range mine {
			got := used[me.process]
			if sum.rate, sum.concurrency = sum.rate+got.rate, sum.concurrency+got.concurrency; got != dues[me.process] {
				t.Errorf("seed %d: a process has %+v of its %+v", seed, got, dues[me.process])
			}
			if even := total.concurrency/int64(len(alive)) - 1; me.since > 0 && got.concurrency < even && (me.needs.concurrency == 0 || got.concurrency < me.needs.concurrency) {
				t.Errorf("seed %d: a process that needs %+v has %+v; even are %d", seed, me.needs, got, even)
			}
		}
		if sum.concurrency != total.concurrency {
			t.Errorf("seed %d: %+v in use of %+v", seed, sum, total)
		}
	}
}

// The rate is for those that have a slot.
func TestDivideRate(t *testing.T) {
	served := func(name string) holding {
		return holding{process: name, share: share{480, 1}, since: 100, served: true}
	}
	waits := holding{process: "c", share: share{rate: 15}, since: 90}
	total := share{rate: 1000, concurrency: 2}
	if due, free := divide(total, served("a"), []holding{served("b"), waits, {process: "d"}}, 200, time.Second); due != (share{485, 1}) || free != due {
		t.Errorf("one that has a slot: %+v, %+v", due, free)
	}
	if due, free := divide(total, waits, []holding{served("b"), served("a"), {process: "d"}}, 200, time.Second); due != (share{rate: 15}) || free != due {
		t.Errorf("one that waits: %+v, %+v", due, free)
	}
}
