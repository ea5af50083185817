package ranges

import (
	"net/url"
	"sort"

	"github.com/stocktake/stocktake"
)

// hints are how many rows the last report had before some keys.
type hints struct {
	keys     []string
	rows     []float64
	measures []*measure // of the keys from each to the next; nil: not made yet
}

// newHints returns nil if s says too little: if there is none, or if the filter
// let through so little that rows say nothing about records.
func newHints(s *stocktake.Summary) *hints {
	if s == nil || len(s.Files) == 0 || 2*s.Matched < s.Listed {
		return nil
	}
	h := new(hints)
	scale := float64(s.Listed) / float64(s.Matched)
	before := int64(0)
	note := func(escaped string, rows int64) {
		key, err := url.PathUnescape(escaped)
		if n := len(h.keys); err == nil && (n == 0 || key > h.keys[n-1]) {
			h.keys, h.rows = append(h.keys, key), append(h.rows, float64(rows)*scale)
		}
	}
	for i := range s.Files {
		f := &s.Files[i]
		note(f.FirstKey, before)
		for _, p := range f.Pieces {
			note(p.FirstKey, before+p.Row)
		}
		before += f.Rows
		note(f.LastKey, before)
	}
	return h
}

// at returns how many rows come before key. It is sure only up to the last key.
func (h *hints) at(key string) float64 {
	n := sort.SearchStrings(h.keys, key) // the first that is not before key
	switch {
	case n == len(h.keys):
		return h.rows[n-1]
	case n == 0 || h.keys[n] == key:
		return h.rows[n]
	}
	m := h.measure(n - 1)
	part := m.between(h.keys[n-1], key) / max(m.between(h.keys[n-1], h.keys[n]), 1)
	return h.rows[n-1] + min(part, 1)*(h.rows[n]-h.rows[n-1])
}

// measure is that of the keys from the n-th to the next.
func (h *hints) measure(n int) *measure {
	if h.measures == nil {
		h.measures = make([]*measure, len(h.keys))
	}
	if h.measures[n] == nil {
		h.measures[n] = newMeasure("", h.keys[n], h.keys[n+1], []string{h.keys[n+1]}, new(alphabets))
	}
	return h.measures[n]
}

// left returns how many rows of r come after its cursor. ok is false if the
// bucket has changed too much there for the report to tell.
func (h *hints) left(r *Range) (rows float64, ok bool) {
	last := h.keys[len(h.keys)-1]
	if r.Cursor >= last {
		return 0, false
	}
	at := h.at(r.Cursor)
	if known := at - h.at(r.first); float64(r.Rows) > 2*known+4*r.width {
		return 0, false
	}
	to := r.To
	if to == "" {
		to = behind(r.Prefix)
	}
	if to == "" || to > last {
		return h.rows[len(h.rows)-1] - at, true
	}
	return h.at(to) - at, true
}

// behind returns the first key behind all that start with prefix; empty: there is
// none.
func behind(prefix string) string {
	for n := len(prefix); n > 0; n-- {
		if last := prefix[n-1]; last < 0xFF {
			return prefix[:n-1] + string([]byte{last + 1})
		}
	}
	return ""
}

// cut returns a key so many rows behind cursor.
func (h *hints) cut(cursor string, rows float64) (string, bool) {
	target := h.at(cursor) + rows
	n := sort.SearchFloat64s(h.rows, target)
	if n == len(h.rows) {
		return "", false
	}
	if n == 0 || h.rows[n]-h.rows[n-1] < 1 {
		return h.keys[n], h.keys[n] > cursor
	}
	if h.rows[n]-target < (h.rows[n]-h.rows[n-1])/16 {
		return h.keys[n], h.keys[n] > cursor
	}
	m := h.measure(n - 1)
	part := (target - h.rows[n-1]) / (h.rows[n] - h.rows[n-1])
	key, ok := m.key(h.keys[n-1], part*m.between(h.keys[n-1], h.keys[n]))
	return key, ok && key > cursor
}
