package ranges

import (
	"fmt"
	"testing"

	"github.com/stocktake/stocktake"
)

// The scan of a part of a large bucket keeps only the hints of the last report about
// that part, and they are as precise as all hints.
func TestHintsOfPart(t *testing.T) {
	const files, rows = 10_000, 1_000_000
	key := func(n int64) string { return fmt.Sprintf("day %05d/%06d", n/rows, n%rows) }
	s := &stocktake.Summary{Listed: files * rows, Matched: files * rows}
	for i := range int64(files) {
		f := stocktake.SummaryFile{Rows: rows, FirstKey: fmt.Sprintf("day%%20%05d/%06d", i, 0), LastKey: fmt.Sprintf("day%%20%05d/%06d", i, rows-1)}
		for piece := range int64(4) {
			f.Pieces = append(f.Pieces, stocktake.SummaryPiece{Row: piece * rows / 4, FirstKey: fmt.Sprintf("day%%20%05d/%06d", i, piece*rows/4)})
		}
		s.Files = append(s.Files, f)
	}
	whole := newHints(s, "", "")
	if len(whole.keys) != 5*files {
		t.Fatalf("%d keys of the whole", len(whole.keys))
	}
	for _, tt := range []struct {
		from, to int64 // < 0: no bound
		most     int   // files
	}{{-1, 5 * rows / 2, 4}, {300*rows + 17, 310 * rows, 13}, {300*rows + 17, 300*rows + 99, 3}, {(files-2)*rows + 3, -1, 3}, {-1, -1, files}} {
		from, to := "", ""
		if tt.from >= 0 {
			from = key(tt.from)
		}
		if tt.to >= 0 {
			to = key(tt.to)
		} else {
			tt.to = files * rows
		}
		h := newHints(s, from, to)
		if n := len(h.keys); n > 5*tt.most {
			t.Errorf("from %q to %q: %d keys", from, to, n)
		}
		for i := range int64(101) {
			k := key(max(tt.from, 0) + (tt.to-1-max(tt.from, 0))*i/100)
			if got, want := h.at(k), whole.at(k); got != want {
				t.Errorf("from %q to %q: %.0f rows before %q, want %.0f", from, to, got, k, want)
			}
		}
		if r := (&Range{From: from, To: to}); h.end(r) != whole.end(r) {
			t.Errorf("from %q to %q: it ends at %.0f, want %.0f", from, to, h.end(r), whole.end(r))
		}
	}
	if h := newHints(s, "e", ""); h == nil || len(h.keys) > 10 { // behind all keys
		t.Errorf("%+v", h)
	}
}
