package engine

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// A Slice is a part of a segment that one process scans in one pass. Together with
// its job it is the whole input of [ScanSlice]; it is kept as JSON.
type Slice struct {
	Segment Segment

	// Number is the number of the segment. The names of its shards are derived from
	// it, so no two segments of a run have the same number. It is at least 0 and less
	// than 2^48.
	Number int

	// Shards is how many shards earlier slices of the segment have committed.
	Shards int

	// Large says that the slice is expected to have enough records for several
	// requests at once, if the source is listed page by page. Otherwise its scan
	// finds this out.
	Large bool `json:",omitempty"`

	// Start is the start of the run, from which the roll-up counts ages. It is zero
	// in plans of earlier versions; then ages count from the slice's own snapshot.
	Start time.Time `json:",omitzero"`
}

// A Budget says when a slice ends before the end of its segment. The zero value
// has no limits.
type Budget struct {
	// Time ends the slice with the first batch after this duration. 0: no limit.
	Time time.Duration

	// Shards ends the slice when it has filled this many shards. 0: no limit. A scan
	// of a PagedSnapshot still writes the records that it has read by then.
	Shards int

	// Stop ends the slice with the first batch after it is closed. nil: never.
	Stop <-chan struct{}

	// Failed makes a failed request for a page of a PagedSnapshot end the slice like
	// Stop: the slice returns what it has read and no error. Failed is called with each
	// error, by several goroutines; it must end other slices by Stop if it wants to. nil:
	// such an error fails the slice.
	Failed func(error)
}

// stopped reports whether Stop is closed.
func (b *Budget) stopped() bool {
	select {
	case <-b.Stop:
		return true
	default:
		return false
	}
}

// A SliceResult is the result of a slice. It is kept as JSON; fields that only later
// versions write are zero if they are missing.
type SliceResult struct {
	Slice Slice

	// Next is where the rest of the segment begins; Done says that there is none.
	Next Cursor
	Done bool

	Files  []stocktake.SummaryFile // the shards, in the order of their keys
	Listed int64                   // records read, matching or not
	Totals report.Totals           // of the records that matched
	Rollup *rollup.Rollup          `json:",omitempty"` // of the records that matched; nil in results of earlier versions

	Doubts Doubts `json:",omitzero"` // about the records that matched

	// Left is about how many records the rest of the segment has, and Cuts are keys,
	// ascending, that cut it into parts of about as many records; see
	// [SliceResult.Shares]. Nil: the scan has no estimate; empty: the rest must not
	// be cut. The caller uses them to add the next slices; they are not kept.
	Left int64    `json:"-"`
	Cuts []string `json:"-"`

	// Snapshot is the time of the snapshot that was scanned, End when the slice
	// ended, both by the clock of the source.
	Snapshot, End time.Time

	// Journal is the position of the bucket's journal in the snapshot; nil if the
	// bucket has none.
	Journal *stocktake.JournalPosition `json:",omitempty"`
}

// Rest returns the slice that continues after r; false if the segment is done.
func (r *SliceResult) Rest() (Slice, bool) {
	s := r.Slice
	s.Segment = r.Next.Rest(s.Segment)
	s.Shards += len(r.Files)
	return s, !r.Done
}

// Shares returns the rest of the segment of r in at most n parts, of about as many
// records as far as the scan knows. If the scan has no estimate, the keys are halved
// repeatedly. The first part has the number of r; the others have numbers from number
// on, which no segment of the run may have.
func (r *SliceResult) Shares(n, number int) []Slice {
	rest, ok := r.Rest()
	if !ok {
		return nil
	}
	rest.Large = len(r.Cuts) > 0
	parts := []Slice{rest}
	if r.Cuts == nil {
		for i := 0; i < len(parts) && len(parts) < n; i++ {
			lower, upper, ok := parts[i].Halve(number + len(parts) - 1)
			if ok {
				parts[i] = lower
				parts = append(parts, upper)
			}
		}
		return parts
	}
	n = min(n, len(r.Cuts)+1)
	for i := 1; i < n; i++ {
		cut := r.Cuts[i*(len(r.Cuts)+1)/n-1]
		last := &parts[len(parts)-1].Segment
		if cut <= last.From || last.To != "" && cut >= last.To {
			continue
		}
		upper := Slice{Number: number + len(parts) - 1, Segment: Segment{Prefix: last.Prefix, From: cut, To: last.To}, Large: rest.Large, Start: rest.Start}
		last.To = cut
		parts = append(parts, upper)
	}
	return parts
}

// Halve cuts s in two, so that another process can scan the upper half. upper has the
// given number, which no segment of the run may have. The cut lies between keys, at
// the middle of the bytes that the keys of s can have, and not between versions of
// one key. It returns false if s is too narrow to be cut.
func (s *Slice) Halve(number int) (lower, upper Slice, ok bool) {
	g := s.Segment
	cut, ok := middle(max(g.From, g.Prefix), g.To, g.Prefix)
	if !ok {
		return Slice{}, Slice{}, false
	}
	lower, upper = *s, Slice{Number: number, Segment: Segment{Prefix: g.Prefix, From: cut, To: g.To}, Start: s.Start}
	lower.Segment.To = cut
	return lower, upper, true
}

// keyDigits is how many bytes of two keys, after those they share, decide where
// the middle between them is.
const keyDigits = 6

// middle returns a short string of bytes about half way between from and to, and
// greater than from. If to is empty, it is half way between from, which starts with
// prefix, and the end of the keys that do.
func middle(from, to, prefix string) (string, bool) {
	shared := 0
	if to == "" {
		shared = len(prefix)
	} else {
		for shared < len(from) && shared < len(to) && from[shared] == to[shared] {
			shared++
		}
	}
	low := digits(from[shared:])
	high := uint64(1) << (8 * keyDigits)
	if to != "" {
		high = digits(to[shared:])
	}
	if high < low+2 {
		return "", false
	}
	mid := low + (high-low)/2
	cut := append([]byte(nil), from[:shared]...)
	for n := 1; n <= keyDigits; n++ { // as short as it can be
		shift := 8 * (keyDigits - n)
		if short := mid >> shift << shift; short > low || n == keyDigits {
			for i := range n {
				cut = append(cut, byte(short>>(8*(keyDigits-1-i))))
			}
			return string(cut), string(cut) > from
		}
	}
	return "", false
}

// digits returns the first bytes of s as a number; those missing are 0.
func digits(s string) (n uint64) {
	for i := range keyDigits {
		n <<= 8
		if i < len(s) {
			n |= uint64(s[i])
		}
	}
	return n
}

// Keys may be any bytes, and JSON strings are UTF-8: in JSON they are written as
// in manifest.summary, percent-encoded.
type (
	segmentJSON struct {
		Prefix string `json:"prefix,omitempty"`
		From   string `json:"from,omitempty"`
		To     string `json:"to,omitempty"`
		After  string `json:"after,omitempty"`
	}
	cursorJSON struct {
		Key     string `json:"key,omitempty"`
		Version string `json:"version,omitempty"`
	}
)

// MarshalJSON implements [json.Marshaler].
func (s Segment) MarshalJSON() ([]byte, error) {
	return json.Marshal(segmentJSON{escape(s.Prefix), escape(s.From), escape(s.To), escape(s.After)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Segment) UnmarshalJSON(raw []byte) error {
	var j segmentJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	*s = Segment{}
	return unescape(map[*string]string{&s.Prefix: j.Prefix, &s.From: j.From, &s.To: j.To, &s.After: j.After})
}

// MarshalJSON implements [json.Marshaler].
func (c Cursor) MarshalJSON() ([]byte, error) {
	return json.Marshal(cursorJSON{escape(c.Key), escape(c.Version)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Cursor) UnmarshalJSON(raw []byte) error {
	var j cursorJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	*c = Cursor{}
	return unescape(map[*string]string{&c.Key: j.Key, &c.Version: j.Version})
}

func escape(s string) string { return string(report.AppendKey(nil, []byte(s))) }

func unescape(fields map[*string]string) (err error) {
	for field, text := range fields {
		if *field, err = url.PathUnescape(text); err != nil {
			return fmt.Errorf("%.200q: %w", text, err)
		}
	}
	return nil
}
