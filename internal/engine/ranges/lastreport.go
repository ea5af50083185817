package ranges

import "sort"

// The last report is exact only about the rows between two of its keys, and cuts also
// lie between such keys. The ranges between two such keys form a chain. Known are the
// number of rows of the whole chain, the rows read of each range in it, and estimates
// of how the rest is distributed. So the error of a misplaced cut is corrected when
// the range behind it has ended.

// reported is what the last report says about the rest of a range.
type reported struct {
	rows float64 // that are left of it
	at   float64 // rows before its rest
}

// reportedRest returns what the last report says about r. ok is false if there is no report,
// or if the bucket has changed too much there.
func (t *Table) reportedRest(r *Range) (is reported, ok bool) {
	h := t.hints
	if h == nil || r.begin() >= h.last() {
		return reported{}, false
	}
	first, last := t.chain(r)
	is.at = h.at(max(first.From, first.Prefix))
	rest, open, sum := h.end(last)-is.at, 0.0, 0.0
	for q := first; ; q = q.after {
		rest -= float64(q.Rows)
		if q.State != Done {
			open++
			sum += t.guessed(q)
		}
		if q == last {
			break
		}
	}
	if rest < 0 {
		return reported{}, rest > -2*float64(t.pageRows)
	}
	const even = 1.0 / 2 // of the rest, because estimates may be wrong
	share := func(q *Range) float64 {
		switch {
		case q.State == Done:
			return 0
		case sum == 0:
			return rest / open
		}
		return rest * (even/open + (1-even)*t.guessed(q)/sum)
	}
	is.rows = share(r)
	for q := first; q != r; q = q.after {
		is.at += float64(q.Rows) + share(q)
	}
	is.at += float64(r.Rows)
	return is, true
}

// chain returns the first and the last range of the chain of r.
func (t *Table) chain(r *Range) (first, last *Range) {
	first, last = r, r
	for b := first.before; b != nil && b.To == first.From && !first.sure; b = first.before {
		first = b
	}
	for a := last.after; a != nil && last.To == a.From && !a.sure; a = last.after {
		last = a
	}
	return first, last
}

// guessed returns an estimate of the rows left of r, from the keys between those that
// the report knows.
func (t *Table) guessed(r *Range) float64 {
	if r.guess < 0 {
		r.guess = max(t.hints.end(r)-t.hints.at(r.begin()), 0)
	}
	return r.guess
}

// reestimateChain estimates the rest of the chain of r again.
func (t *Table) reestimateChain(r *Range) {
	if t.hints == nil {
		return
	}
	first, last := t.chain(r)
	for q := first; ; q = q.after {
		q.nextEstimate = 0
		if q == last {
			return
		}
	}
}

// keyFromReport returns a key that many rows behind the last row read of r. If the report
// knows no key in between, keys that were seen are more precise.
func (t *Table) keyFromReport(r *Range, is reported, rows float64) (string, bool) {
	h := t.hints
	target := is.at + rows
	if n := sort.SearchStrings(h.keys, r.begin()); r.pages > 0 && n < len(h.keys) && target < h.rows[n] {
		m := t.measureOf(r)
		if key, ok := m.key(r.Cursor, rows*r.unit(m), float64(t.pageRows)*r.unit(m), false); ok && key < h.keys[n] {
			return key, true
		}
	}
	key, ok := h.cut(target, float64(t.pageRows))
	return key, ok && key > r.begin()
}
