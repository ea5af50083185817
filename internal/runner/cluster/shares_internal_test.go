package cluster

import (
	"math/rand/v2"
	"testing"
)

// simulated has processes renew their shares in turn, as renewShares does, with wants
// deciding who has something to send. It checks after each that no more is used than
// there is, and returns how often each could send.
func simulated(t *testing.T, total share, rounds int, wants []bool) (usable []int, last []share) {
	t.Helper()
	kept := make([]holding, len(wants)) // as the database has it
	used := make([]share, len(wants))   // as processes do
	usable = make([]int, len(wants))
	order := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		for _, i := range order.Perm(len(wants)) {
			me := kept[i]
			me.process = string(rune('a' + i))
			switch {
			case !wants[i]:
				me.served = 0
			case me.served == 0:
				me.served = 1
			}
			var others []holding
			for j, h := range kept {
				if j != i && h.process != "" {
					others = append(others, h)
				}
			}
			got := divide(total, me, others)
			if wants[i] && got.usable(total) {
				me.served = int64(2 + round)
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
	return usable, used
}

// Processes with something to send have even shares of all but what the others keep,
// and take turns where places are few.
func TestDivide(t *testing.T) {
	total := share{rate: 160_000, places: 32}
	_, last := simulated(t, total, 10, []bool{true, true, false, false})
	if last[0] != (share{77_500, 15}) || last[1] != last[0] || last[2] != (share{2_500, 1}) {
		t.Errorf("two of four want: %+v", last)
	}
	if _, last = simulated(t, total, 10, []bool{true}); last[0] != total {
		t.Errorf("alone: %+v", last)
	}
	for _, places := range []int64{1, 2, 3} {
		usable, _ := simulated(t, share{places: places}, 200, []bool{true, true, true, true, false})
		for i, n := range usable[:4] {
			if n < 10 {
				t.Errorf("%d places: process %d had one in %d of 200 rounds", places, i, n)
			}
		}
	}
}
