package ranges

import (
	"net/url"
	"sort"

	"github.com/stocktake/stocktake"
)

// hints say how many rows the last report had before some keys.
type hints struct {
	keys     []string
	rows     []float64
	measures []*measure // of the keys from each to the next; nil: not made yet
	known    alphabets  // of the keys
}

// manyFiles is the number of files of a report above which a scan of a part of the
// bucket looks only at the files of its part: ten thousand files have a third of a
// million keys.
const manyFiles = 500

// partOf returns the files of a report that have keys from from on and before to
// (empty: no end), with one file before them and one behind, and how many rows come
// before all of them.
func partOf(files []stocktake.SummaryFile, from, to string) (part []stocktake.SummaryFile, before int64) {
	if len(files) < manyFiles {
		return files, 0
	}
	first := sort.Search(len(files), func(i int) bool { return unescaped(files[i].LastKey) >= from })
	end := len(files)
	if to != "" {
		end = sort.Search(len(files), func(i int) bool { return unescaped(files[i].FirstKey) > to })
	}
	first, end = max(first-1, 0), min(max(end, first)+1, len(files))
	for i := range files[:first] {
		before += files[i].Rows
	}
	return files[first:end], before
}

// unescaped returns the unescaped key, or the key unchanged if it is escaped wrongly:
// the hints are then bad, which a scan tolerates.
func unescaped(key string) string {
	if plain, err := url.PathUnescape(key); err == nil {
		return plain
	}
	return key
}

// newHints returns nil if s is nil or has too little information, for example if the
// filter selected so few records that rows do not represent records. The scan lists
// keys from from on and before to; empty: to the last.
func newHints(s *stocktake.Summary, from, to string) *hints {
	if s == nil || len(s.Files) == 0 || 2*s.Matched < s.Listed {
		return nil
	}
	h := new(hints)
	scale := float64(s.Listed) / float64(s.Matched)
	files, before := partOf(s.Files, from, to)
	note := func(escaped string, rows int64) {
		key, err := url.PathUnescape(escaped)
		if n := len(h.keys); err == nil && (n == 0 || key > h.keys[n-1]) {
			h.keys, h.rows = append(h.keys, key), append(h.rows, float64(rows)*scale)
		}
	}
	for i := range files {
		f := &files[i]
		note(f.FirstKey, before)
		for _, p := range f.Pieces {
			note(p.FirstKey, before+p.Row)
		}
		before += f.Rows
		note(f.LastKey, before)
	}
	if len(h.keys) < 2 {
		return nil
	}
	h.known.learn(h.keys)
	h.known.folders[0].whole = !h.known.folders[0].many // the keys are of all the bucket
	return h
}

// at returns how many rows come before key. It is exact only up to the last key.
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

// measure returns the measure of the keys from the n-th to the next.
func (h *hints) measure(n int) *measure {
	if h.measures == nil {
		h.measures = make([]*measure, len(h.keys))
	}
	if h.measures[n] == nil {
		h.measures[n] = newMeasure("", h.keys[n], h.keys[n+1], []string{h.keys[n+1]}, &h.known)
	}
	return h.measures[n]
}

// knows reports whether the report says how many rows come before key.
func (h *hints) knows(key string) bool {
	if h == nil {
		return false
	}
	n := sort.SearchStrings(h.keys, key)
	return n < len(h.keys) && h.keys[n] == key
}

// last returns the last key of the report.
func (h *hints) last() string { return h.keys[len(h.keys)-1] }

// end returns how many rows come before the end of r, or the number of rows of the
// report if r ends behind it.
func (h *hints) end(r *Range) float64 {
	to := r.To
	if to == "" {
		to = behind(r.Prefix)
	}
	if to == "" {
		to = h.last()
	}
	return h.at(to)
}

// behind returns the first key behind all keys that start with prefix; empty if there
// is none.
func behind(prefix string) string {
	for n := len(prefix); n > 0; n-- {
		if last := prefix[n-1]; last < 0xFF {
			return prefix[:n-1] + string([]byte{last + 1})
		}
	}
	return ""
}

// cut returns a key with about target rows before it: a key that the report knows, if
// one is close enough. page is how many rows a page has.
func (h *hints) cut(target, page float64) (string, bool) {
	n := sort.SearchFloat64s(h.rows, target)
	if n == len(h.rows) {
		return "", false
	}
	if n == 0 {
		return h.keys[n], true
	}
	before, width := h.rows[n-1], h.rows[n]-h.rows[n-1]
	switch part := (target - before) / width; {
	case width < 1 || part > 1-near:
		return h.keys[n], true
	case part < near:
		return h.keys[n-1], true
	default:
		m := h.measure(n - 1)
		all := m.between(h.keys[n-1], h.keys[n])
		return m.key(h.keys[n-1], part*all, page/width*all, false)
	}
}

// near is how far from a known key of the report a cut may be so that the known key
// is the better cut: a fraction of the distance to the next known key.
const near = 1.0 / 16
