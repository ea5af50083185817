package report

import "bytes"

// Split cuts the report into at most n ranges of keys with about equally many
// rows, ascending, which together are all keys: to read them with several
// goroutines. It cuts where pieces begin, so that little is read twice; a report
// without a summary stays one range.
func (r *Report) Split(n int) []KeyRange { return r.SplitRange(KeyRange{}, n) }

// SplitRange does what Split does for the rows of keys.
func (r *Report) SplitRange(keys KeyRange, n int) []KeyRange {
	type cut struct {
		row int64
		key []byte
	}
	var cuts []cut
	var rows int64 // in the range, as far as its cuts tell
	if r.Ordered() && n > 1 {
		before := int64(0) // rows of the shards before
		for i := range r.Manifest.Files {
			f := r.summaryFile(i)
			if f == nil {
				return []KeyRange{keys}
			}
			add := func(encoded string, row int64) {
				key, err := ParseKey(encoded)
				if err == nil && bytes.Compare(key, keys.From) > 0 && keys.Contains(key) && (len(cuts) == 0 || bytes.Compare(key, cuts[len(cuts)-1].key) > 0) {
					cuts = append(cuts, cut{row, key})
				}
			}
			add(f.FirstKey, before)
			for _, p := range f.Pieces {
				add(p.FirstKey, before+p.Row)
			}
			before += f.Rows
		}
		rows = before
	}
	if len(cuts) == 0 {
		return []KeyRange{keys}
	}
	first := int64(0)
	if len(keys.From) > 0 {
		first = cuts[0].row
	}
	if len(keys.To) > 0 {
		rows = cuts[len(cuts)-1].row
	}
	out := []KeyRange{}
	rest := keys
	for _, c := range cuts {
		if want := first + int64(len(out)+1)*(rows-first)/int64(n); c.row < want || len(out) == n-1 {
			continue
		}
		out = append(out, KeyRange{From: rest.From, To: c.key})
		rest.From = c.key
	}
	return append(out, rest)
}
