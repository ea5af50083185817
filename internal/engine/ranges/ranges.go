// Package ranges decides which key ranges of a bucket are listed at the same time. It
// does not access stores: a scan reports the content of each page, and asks which
// ranges to list next.
//
// A scan begins with one range. Whenever requests are idle, ranges that have just
// returned a full page are cut, starting with those that have most left. The cut is
// computed from the keys seen so far: the characters at each place of these keys are
// treated as digits, the keys of a page show the distance between keys, and the last
// report, if there is one, shows the number of keys between some keys. While little
// is known of a range, cuts are spread over orders of magnitude, so that a few rounds
// of requests find out how the keys of any bucket are distributed.
package ranges

import (
	"github.com/stocktake/stocktake"
)

// A Range is a part of the keys of a scan: those that start with Prefix, are >=
// From and, unless To is empty, < To.
type Range struct {
	Prefix, From, To string

	Cursor string // last key read; empty: none
	Rows   int64  // read

	State State

	first        string    // first key read
	pages        int       // read
	page         [2]string // first and last key of the last page
	width        float64   // rows of the last page
	sure         bool      // the last report says how many rows come before From
	guess        float64   // rows that are left as keys of the last report let guess; < 0: not computed yet
	whole        bool      // the last report says what is in it, and it was not cut
	fresh        bool      // the last page was full, and the range was not cut since
	samples      []string  // keys of the last page
	left         float64   // estimate of the pages that are left; < 0: not made yet
	nextEstimate int       // pages from which on the estimate is made again
	even         float64   // how far the estimate is to be trusted, from 0 to 1
	measure      *measure  // of the rest; nil: not made yet

	cut      level  // where it was cut off the range before
	behind   string // cursor of that range then
	again    int    // it is not cut before it has this many pages
	patience int    // pages to wait after the next cut that finds nothing

	before, after *Range // in the order of keys
}

// State is the state of a range.
type State int

// The states of a range.
const (
	Waiting State = iota // it is to be listed, or to be continued
	Listing              // a scan lists it
	Done                 // all of it is read
)

// Next returns the next range in the order of keys; nil if there is none.
func (r *Range) Next() *Range { return r.after }

// A Table holds the ranges of a scan. It is not safe for concurrent use.
type Table struct {
	first    *Range
	front    *Range    // none before it is open
	known    alphabets // of the keys seen
	levels   levels
	hints    *hints
	pageRows int // of the largest page so far; before the first, what is usual

	large bool // see Large

	rows         int64 // read
	open         int   // ranges that are not done
	calls, empty int   // pages that were asked for, and those that had no rows
}

// New returns the table of a scan of some parts of a bucket, ascending and disjoint,
// whose Prefix, From and To are set. last is the summary of the previous report;
// nil if there is none.
func New(segments []Range, last *stocktake.Summary) *Table {
	t := new(Table)
	first, end := segments[0], segments[len(segments)-1].To
	if end == "" {
		end = behind(segments[len(segments)-1].Prefix)
	}
	if t.hints = newHints(last, max(first.From, first.Prefix), end); t.hints != nil {
		t.known.learn(t.hints.keys)
		t.pageRows = usualRows
	}
	var before *Range
	for _, s := range segments {
		r := &Range{Prefix: s.Prefix, From: s.From, To: s.To, left: -1, guess: -1, before: before}
		if before == nil {
			t.first, t.front = r, r
		} else {
			before.after = r
		}
		before = r
		t.open++
	}
	return t
}

// usualRows is how many rows a page has in most stores.
const usualRows = 1000

// leastRows is the least number of rows per page that is assumed if the first page
// has fewer: that page may be an exception.
const leastRows = 100

// resize corrects the estimate of rows per page, in which estimates are counted.
func (t *Table) resize(rows int) {
	if t.pageRows <= rows {
		return
	}
	for r := t.first; r != nil; r = r.after {
		r.left *= float64(t.pageRows) / float64(rows)
	}
	t.pageRows = rows
}

// PageRows returns how many rows a page of the store has, as far as is known; 0 if
// unknown.
func (t *Table) PageRows() int { return t.pageRows }

// Large says that there are enough rows for several requests at once. Otherwise the
// table finds this out from the first pages, one after the other.
func (t *Table) Large() { t.large = true }

// First returns the first range in the order of keys.
func (t *Table) First() *Range { return t.first }

// Within reports whether r begins within the first rows of those that are left, in
// the order of keys. The first range that is not done always does.
func (t *Table) Within(r *Range, rows float64) bool {
	ahead := 0.0
	for q := t.FirstOpen(); q != nil && (ahead == 0 || ahead < rows); q = q.after {
		if q == r {
			return true
		}
		if q.State != Done {
			ahead += max(1, t.expected(q)*float64(t.pageRows))
		}
	}
	return false
}

// FirstOpen returns the first range that is not done; nil if all are done.
func (t *Table) FirstOpen() *Range {
	for t.open > 0 && t.front.State == Done {
		t.front = t.front.after
	}
	if t.open == 0 {
		return nil
	}
	return t.front
}

// Open returns how many ranges are not done.
func (t *Table) Open() int { return t.open }

// Page records a page of r: n rows; key(i) returns the key of the i-th. n is at
// least 1. more says that rows of the range follow.
func (t *Table) Page(r *Range, n int, key func(i int) []byte, more bool) {
	first := string(key(0))
	last := string(key(n - 1))
	if r.pages == 0 {
		r.first = first
		t.judge(r)
	}
	t.calls++
	if t.rows == 0 && more {
		t.resize(max(n, leastRows))
	}
	t.pageRows = max(t.pageRows, n)
	r.Cursor, r.page, r.width = last, [2]string{first, last}, float64(n)
	r.Rows += int64(n)
	t.rows += int64(n)
	r.pages++
	r.fresh = more
	if r.pages == 2 && !r.cut.none() {
		t.levels.note(r.cut, true)
	}
	r.left, r.guess, r.measure = r.left-1, -1, nil
	r.samples = r.samples[:0]
	if more && n > 1 {
		const samples = 32
		for i := range samples {
			r.samples = append(r.samples, string(key(i*(n-1)/(samples-1))))
		}
		if r.pages&(r.pages-1) == 0 {
			t.known.learn(r.samples)
		}
	}
}

// judge determines where the first key of r really differs from the keys before the
// cut: a cut in a folder that had already ended is a cut behind the folder.
func (t *Table) judge(r *Range) {
	if r.cut.none() {
		return
	}
	at := differ(r.behind, r.first)
	if at < differ(r.behind, r.From) {
		t.levels.note(r.cut, false)
		r.cut = levelOf(r.first, at)
	}
}

// Finish records that all of r is read. empty says that the last request for it
// returned no rows.
func (t *Table) Finish(r *Range, empty bool) {
	r.State, r.fresh = Done, false
	t.open--
	t.reestimateChain(r)
	if empty {
		t.calls++
		t.empty++
	}
	if r.pages > 1 || r.cut.none() {
		return
	}
	// The rest of the previous range has few rows for now: it is not cut again before
	// it has returned more pages.
	t.levels.note(r.cut, false)
	b := r.before
	b.patience = max(1, 2*b.patience)
	b.again = b.pages + b.patience
}

// estimate computes the rest of r.
func (t *Table) estimate(r *Range) {
	if r.pages == 0 {
		t.estimateFromReport(r)
		return
	}
	if r.left >= 0 && r.pages < r.nextEstimate {
		return
	}
	r.nextEstimate = r.pages + 1
	if is, ok := t.reportedRest(r); ok {
		r.left, r.even = is.rows/float64(t.pageRows), 1
		return
	}
	m := t.measureOf(r)
	rest := m.between(r.Cursor, r.To)
	unit := r.unit(m) * float64(t.pageRows)
	r.left = rest / unit
	pages := float64(r.pages)
	r.even = pages / (pages + r.left/16)
	if r.left > 16 {
		r.nextEstimate = r.pages + max(1, r.pages/8)
	}
}

// estimateFromReport estimates the rest of a range that was not listed yet, if the last
// report covers it.
func (t *Table) estimateFromReport(r *Range) {
	if t.hints == nil || r.left >= 0 {
		return
	}
	if is, ok := t.reportedRest(r); ok {
		r.left, r.even = is.rows/float64(t.pageRows), 1
		r.whole = true
	}
}

// isEstimatedFromReport reports whether nothing was listed of r, but the last report tells where
// it can be cut.
func (r *Range) isEstimatedFromReport() bool { return r.pages == 0 && r.whole }

// begin returns a key that comes before everything left of r, and after everything
// that was read.
func (r *Range) begin() string { return max(r.Cursor, r.From, r.Prefix) }

// unit returns the distance of two keys of r.
func (r *Range) unit(m *measure) float64 {
	d := m.between(r.page[0], r.page[1]) / r.width
	if r.pages > 1 {
		d = max(d, m.between(r.first, r.Cursor)/float64(r.Rows))
	}
	return max(d, 1e-3)
}

func (t *Table) measureOf(r *Range) *measure {
	if r.measure == nil {
		samples := r.samples
		if r.after != nil && r.after.first != "" {
			samples = append(samples[:len(samples):len(samples)], r.after.first)
		}
		r.measure = newMeasure(r.Prefix, r.first, r.To, samples, &t.known)
	}
	return r.measure
}
