package ranges

import (
	"cmp"
	"math"
	"slices"
)

// Probe returns up to k ranges; one page of each is to be requested next, to
// find out how the keys of a bucket are distributed before the actual listing: parts
// of the ranges that have most left. It returns none if everything is read.
func (t *Table) Probe(k int) (probes []*Range) {
	var open []part
	for r := t.FirstOpen(); r != nil; r = r.after {
		switch {
		case r.State == Done:
		case r.pages == 0:
			r.State = Listing
			probes = append(probes, r)
		default:
			open = append(open, part{r: r, pages: t.Left(r) / float64(t.pageRows)})
		}
	}
	const few = 2 // pages without which a cut would be a mere guess
	for n := k - len(probes); n > 0 && t.calls >= few; n-- {
		best := largest(open, 1)
		if best == nil {
			break
		}
		best.cuts++
	}
	for i := range open {
		if open[i].cuts > 0 {
			probes = append(probes, t.cut(&open[i])...)
		}
	}
	if len(probes) > 0 {
		return probes
	}
	slices.SortStableFunc(open, func(a, b part) int { return cmp.Compare(b.pages, a.pages) })
	for _, p := range open[:min(k, len(open))] {
		probes = append(probes, p.r)
	}
	return probes
}

// Left returns how many rows of r are left, as far as is known. The estimate of a
// range with few samples is bounded by the samples of all ranges.
func (t *Table) Left(r *Range) float64 {
	if r.State == Done || r.pages == 0 && r.left < 0 {
		return 0
	}
	t.estimate(r)
	const bound = 4 // pages for each page read
	return min(max(r.left, 0), bound*float64(t.calls)) * float64(t.pageRows)
}

// Pages returns how many pages all keys take, as far as is known.
func (t *Table) Pages() float64 {
	rows, _ := t.Parts(t.first, nil, math.Inf(1))
	return (rows + float64(t.first.Rows)) / float64(max(t.pageRows, 1))
}

// Calls returns how many pages were requested.
func (t *Table) Calls() int { return t.calls }

// Parts returns how many unread rows lie in the ranges from r on and before end, and
// keys, ascending, that cut them into parts of about step rows. Both are estimates.
// end is nil for all ranges.
func (t *Table) Parts(r, end *Range, step float64) (rows float64, cuts []string) {
	last := max(r.From, r.Cursor)
	begun := 0.0 // rows since the last cut
	for first := true; r != end; r, first = r.after, false {
		if !first {
			begun += float64(r.Rows)
			rows += float64(r.Rows)
			if begun >= step/2 && r.From > last { // where a range begins is a place that is known
				cuts, last, begun = append(cuts, r.From), r.From, float64(r.Rows)
			}
		}
		left := t.Left(r)
		rows += left
		for at := step - begun; at < left; at += step {
			key, _, ok := t.keyBehind(r, at/float64(t.pageRows))
			if !ok || r.To != "" && key >= r.To {
				break
			}
			if key > last {
				cuts, last = append(cuts, key), key
			}
			begun = -at
		}
		begun += left
	}
	return rows, cuts
}
