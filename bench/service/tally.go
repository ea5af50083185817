package service

import "github.com/stocktake/stocktake"

// A tally counts the runs of many configurations, each of which should have so
// many of them, one after another, all succeeded at the first attempt.
type tally struct {
	each      int
	runs      int
	found     int             // configurations
	ids       map[string]int  // how often each run was seen
	manifests map[string]bool // that runs say they have written
	wrong     [][]stocktake.Run
	missing   int // runs that a configuration lacks
	extra     int // runs that it has beyond each, or twice for one due time
}

func newTally(each int) *tally {
	return &tally{each: each, ids: map[string]int{}, manifests: map[string]bool{}}
}

// add counts the runs of one configuration.
func (t *tally) add(runs []stocktake.Run) {
	t.found++
	t.runs += len(runs)
	first, good := 0, 0
	due := map[int64]bool{}
	for _, r := range runs {
		if r.State == stocktake.Succeeded && r.Attempt == 1 && r.Matched == crowdRows && r.Manifest != "" {
			good++
		}
		if r.Trigger == stocktake.TriggerFirst {
			first++
		}
		due[r.Due.UnixNano()] = true
		t.ids[r.ID]++
		t.manifests[r.Manifest] = true
	}
	t.missing += max(t.each-len(due), 0)
	t.extra += max(len(runs)-t.each, len(runs)-len(due), 0)
	if good != t.each || good != len(runs) || first != 1 || len(due) != t.each {
		t.wrong = append(t.wrong, runs)
	}
}

// faults returns how many runs or reports of the configurations are lost, and how
// many exist twice; manifests are those found in the bucket.
func (t *tally) faults(configurations int, manifests map[string]bool) (lost, doubled int) {
	lost, doubled = t.missing+(configurations-t.found)*t.each, t.extra
	for _, n := range t.ids {
		doubled += n - 1
	}
	for key := range t.manifests {
		if !manifests[key] {
			lost++
		}
	}
	for key := range manifests {
		if !t.manifests[key] {
			doubled++
		}
	}
	return lost, doubled
}
