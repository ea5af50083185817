package cluster

import (
	"math/rand/v2"
	"testing"
	"time"
)

// simulated has processes renew their shares in turn, a second a round, with wants
// deciding who has something to send. What a process gives up is given away at its next turn:
// requests are in flight until then. It checks after each turn that no more is used than
// there is, and returns how often each could send, and how often a place was taken from
// one that wanted it.
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
			if got.rate > due.rate || got.places > due.places {
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
			me.share = share{max(got.rate, used[i].rate), max(got.places, used[i].places)}
			kept[i], used[i] = me, got
			var sum share
			for _, u := range used {
				sum.rate, sum.places = sum.rate+u.rate, sum.places+u.places
			}
			if sum.rate > total.rate || sum.places > total.places {
				t.Fatalf("round %d: %+v in use of %+v", round, sum, total)
			}
		}
	}
	return usable, used, lost
}

// Processes with something to send have even shares of all but what the others keep,
// and take turns where places are few, of which each lasts.
func TestDivide(t *testing.T) {
	total := share{rate: 160_000, places: 32}
	_, last, _ := simulated(t, total, 10, []bool{true, true, false, false})
	if last[0] != (share{77_500, 15}) || last[1] != last[0] || last[2] != (share{2_500, 1}) {
		t.Errorf("two of four want: %+v", last)
	}
	if _, last, _ = simulated(t, total, 10, []bool{true}); last[0] != total {
		t.Errorf("alone: %+v", last)
	}
	for _, places := range []int64{1, 2, 3} {
		const rounds = 200
		usable, _, lost := simulated(t, share{rate: 1000, places: places}, rounds, []bool{true, true, true, true, false})
		for i, n := range usable[:4] {
			if n < rounds*int(places)/8 {
				t.Errorf("%d places: process %d had one in %d of %d rounds", places, i, n, rounds)
			}
		}
		if most := rounds * int(places) / 5; lost < most/4 || lost > most {
			t.Errorf("%d places: %d turns were over in %d rounds of a second, and each lasts 5", places, lost, rounds)
		}
	}
}

// The rate is for those that have a place.
func TestDivideRate(t *testing.T) {
	served := func(name string) holding {
		return holding{process: name, share: share{480, 1}, since: 100, served: true}
	}
	waits := holding{process: "c", share: share{rate: 15}, since: 90}
	total := share{rate: 1000, places: 2}
	if due, free := divide(total, served("a"), []holding{served("b"), waits, {process: "d"}}, 200, time.Second); due != (share{485, 1}) || free != due {
		t.Errorf("one that has a place: %+v, %+v", due, free)
	}
	if due, free := divide(total, waits, []holding{served("b"), served("a"), {process: "d"}}, 200, time.Second); due != (share{rate: 15}) || free != due {
		t.Errorf("one that waits: %+v, %+v", due, free)
	}
}
