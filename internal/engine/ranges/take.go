package ranges

import (
	"cmp"
	"math"
	"slices"
)

// least returns how many pages a part must be expected to have to be worth cutting
// off. On average half a page is read twice, so parts must not be small compared to
// the bucket, and the less so the more calls were wasted.
func (t *Table) least() float64 {
	const many, share = 16, 1.0 / 640
	few := 2.0
	if t.hints != nil {
		few = 1.5 // fewer cuts are in vain
	}
	calls := float64(t.calls)
	least := min(max(few, share*calls), many)
	if over := t.wasted() / allowedWaste(calls); over > 1 {
		least *= min(over*over*over, 8)
	}
	return least
}

// wasted returns how many calls are in vain: those that were, and half a page for the
// end of each open range.
func (t *Table) wasted() float64 {
	return float64(t.calls) - float64(t.rows)/float64(max(t.pageRows, 1)) + float64(t.open)/2
}

// allowedWaste returns how many of calls may be wasted before cuts become rarer.
func allowedWaste(calls float64) float64 { return max(400-calls/16, 120+calls/200) }

// maxWaste returns how many of calls may be wasted before nothing more is cut, if
// the fraction idle of the requests is idle. From ten million rows on these are less
// than two in a hundred. A third is reserved for when most requests are idle, because
// cutting the last ranges then saves the most time.
func maxWaste(calls, idle float64) float64 {
	return max(480-calls/16, mostWasted(calls)*(2+idle)/3)
}

// mostWasted returns how many of calls may be wasted at most, unless t is stuck.
func mostWasted(calls float64) float64 { return max(195, 0.0195*calls) }

// spare returns how many more may be wasted if t is stuck: half of a hundredth.
func spare(calls float64) float64 { return 0.005 * calls }

// stuck reports whether most requests are idle although much is left, because as many
// calls are in vain as allowed. Then spare calls are used to cut large ranges, which
// saves most of the time that they take.
func (t *Table) stuck(idle float64) bool {
	calls := float64(t.calls)
	waste := t.wasted()
	return idle > 0.5 && waste > maxWaste(calls, idle)-1 && waste < mostWasted(calls)+spare(calls)
}

// Take returns up to k ranges to list, and marks them as listed: first waiting
// ranges, in the order of keys, then new ranges that it cuts off others. Only ranges
// count that begin within the first rows of those that are left, in the order of
// keys; the first range that is not done always counts.
func (t *Table) Take(k int, within float64) []*Range {
	var taken []*Range
	var open []part
	ahead := 0.0 // rows of the ranges before
	for r := t.FirstOpen(); r != nil && len(taken) < k; r = r.after {
		if r.State == Done {
			continue
		}
		if ahead > 0 && ahead >= within {
			break
		}
		if r.State == Waiting {
			r.State = Listing
			taken = append(taken, r)
		}
		left := t.expected(r)
		if r.fresh && r.pages >= r.again || r.isEstimatedFromReport() {
			open = append(open, part{r: r, pages: min(left, (within-ahead)/float64(max(t.pageRows, 1)))})
		}
		ahead += max(1, left*float64(t.pageRows))
	}
	if len(taken) == k {
		return taken
	}
	n := k - len(taken)
	idle, least := float64(n)/float64(n+t.open), t.least()
	if t.stuck(idle) {
		n, least = min(n, int(spare(float64(t.calls)))), max(least, 64)
	} else {
		n = min(n, t.maxNewRanges(idle))
	}
	for ; n > 0; n-- {
		best := largest(open, 2*least)
		if best == nil {
			break
		}
		best.cuts++
	}
	for i := range open {
		if open[i].cuts > 0 {
			taken = append(taken, t.cut(&open[i])...)
		}
	}
	return taken
}

// maxNewRanges returns how many ranges may be added if the fraction idle of the requests
// is idle: few while few pages are known, so that a small bucket takes few requests.
func (t *Table) maxNewRanges(idle float64) int {
	if t.hints != nil && t.calls == 0 {
		return math.MaxInt
	}
	bear := int(maxWaste(float64(t.calls), idle) - t.wasted())
	if t.hints != nil || t.large && t.calls > 0 {
		return bear
	}
	return min(4*t.calls*t.calls-40-t.open, bear)
}

// A part of a range is the part that may be cut.
type part struct {
	r     *Range
	pages float64
	cuts  int
}

// largest returns the part whose pieces would be the largest after one more cut; nil
// if all would be smaller than half of least.
func largest(parts []part, least float64) *part {
	if len(parts) == 0 {
		return nil
	}
	size := func(p *part) float64 { return p.pages / float64(p.cuts+1) }
	best := slices.MaxFunc(parts, func(a, b part) int { return cmp.Compare(size(&a), size(&b)) })
	if size(&best) < least {
		return nil
	}
	for i := range parts {
		if parts[i].r == best.r {
			return &parts[i]
		}
	}
	return nil
}

// expected returns how many pages of r are left, as far as is known. An unreliable
// estimate counts by its order of magnitude.
func (t *Table) expected(r *Range) float64 {
	t.estimate(r)
	if r.pages == 0 && r.left < 0 {
		return 0 // the first request says more
	}
	guess := min(math.Sqrt(r.left), float64(max(r.pages, 1))*(4+2048/float64(max(t.calls, 1))))
	return r.even*r.left + (1-r.even)*guess
}

// cut cuts as many further parts off r as p says, and returns them, to be listed.
func (t *Table) cut(p *part) []*Range {
	r := p.r
	r.fresh, r.whole = false, false
	most := r.left
	if full := t.expected(r); p.pages < full { // only the beginning of it counts
		most *= p.pages / full
	}
	var keys []string
	var at []float64
	last, least := r.begin(), t.least()
	for j := 1; j <= p.cuts; j++ {
		pages := spread(float64(j)/float64(p.cuts+1), least, most, r.even)
		if len(at) > 0 && pages < at[len(at)-1]+least {
			continue
		}
		key, pages, ok := t.keyBehind(r, pages)
		if !ok || key <= last || r.To != "" && key >= r.To {
			continue
		}
		keys, at = append(keys, key), append(at, pages)
		last = key
	}
	if len(keys) == 0 {
		return nil
	}
	to, left, before, after := r.To, r.left, r, r.after
	r.To, r.left, r.guess, r.measure = keys[0], at[0], -1, nil
	var parts []*Range
	for i, key := range keys {
		n := &Range{Prefix: r.Prefix, From: key, To: to, State: Listing, even: r.even, before: before, left: left - at[i], guess: -1}
		if i+1 < len(keys) {
			n.To, n.left = keys[i+1], at[i+1]-at[i]
		}
		n.left = max(n.left, 0)
		n.sure = t.hints.knows(key)
		if r.pages > 0 {
			n.cut, n.behind = levelOf(key, differ(r.Cursor, key)), r.Cursor
		}
		before.after = n
		before = n
		t.open++
		parts = append(parts, n)
	}
	before.after = after
	if after != nil {
		after.before = before
	}
	return parts
}

// keyBehind returns a key that many pages behind the cursor of r, or slightly more if
// that is a better cut.
func (t *Table) keyBehind(r *Range, pages float64) (string, float64, bool) {
	rows := pages * float64(t.pageRows)
	if is, ok := t.reportedRest(r); ok {
		key, ok := t.keyFromReport(r, is, rows)
		return key, pages, ok
	}
	if r.pages == 0 {
		return "", 0, false // its first request has failed: its density is not known
	}
	m := t.measureOf(r)
	unit := r.unit(m)
	distance := rows * unit
	for {
		key, ok := m.key(r.Cursor, distance, unit*float64(t.pageRows), true)
		if !ok {
			return "", 0, false
		}
		at := differ(r.Cursor, key)
		if !t.levels.bad(levelOf(key, at)) {
			return key, distance / unit / float64(t.pageRows), true
		}
		step, ok := m.step(key, at)
		if !ok {
			return "", 0, false
		}
		distance = max(2*distance, step)
	}
}
