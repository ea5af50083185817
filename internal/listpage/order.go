package listpage

import (
	"bytes"
	"fmt"

	"github.com/stocktake/stocktake"
)

// sections holds the buffers for merging a page.
type sections struct {
	records []stocktake.Record
	millis  []int64
}

// sort puts the rows of a page into the order of a report. Most stores send them in
// this order, and then no row is moved. Some stores send all delete markers of a
// page before or after all versions. Each of the two sections is in order, and sort
// merges them.
func (p *Page) sort() error {
	cut := p.cut()
	if err := p.ordered(0, cut); err != nil {
		return err
	}
	if err := p.ordered(cut, len(p.Records)); err != nil {
		return err
	}
	if cut > 0 && cut < len(p.Records) && bytes.Compare(p.Records[cut-1].Key, p.Records[cut].Key) >= 0 {
		p.merge(cut)
		return p.ordered(0, len(p.Records)) // a version may be in both sections
	}
	return nil
}

// cut returns the index of the boundary between delete markers and versions, in
// either order, if there is exactly one; else the number of records.
func (p *Page) cut() int {
	n := len(p.Records)
	at := n
	for i := 1; i < n; i++ {
		if p.Records[i].IsDeleteMarker != p.Records[i-1].IsDeleteMarker {
			if at < n {
				return n // they are mixed
			}
			at = i
		}
	}
	return at
}

// ordered returns an error if the records in the given range are not in order of
// keys, or if they contain a version twice.
func (p *Page) ordered(from, to int) error {
	first := from // of the key
	for i := from + 1; i < to; i++ {
		c := bytes.Compare(p.Records[i-1].Key, p.Records[i].Key)
		if c > 0 || c == 0 && !p.Versions {
			return fmt.Errorf("%w: key %.200q comes after %.200q", ErrOrder, p.Records[i].Key, p.Records[i-1].Key)
		}
		if c < 0 {
			first = i
		} else if p.repeats(first, i) {
			return fmt.Errorf("%w: version %.200q of key %.200q is listed twice", ErrOrder, p.Records[i].VersionID, p.Records[i].Key)
		}
	}
	return nil
}

// fewVersions is how many versions of a key are compared with each other. A set
// holds larger numbers.
const fewVersions = 4

// repeats reports whether record i is the same version as one of the earlier
// records of its key, the first of which is at index first. It is called for each
// record after the first.
func (p *Page) repeats(first, i int) bool {
	id := p.Records[i].VersionID
	if i-first < fewVersions {
		for j := first; j < i; j++ {
			if bytes.Equal(p.Records[j].VersionID, id) {
				return true
			}
		}
		return false
	}
	if i-first == fewVersions {
		p.seen.Clear()
		for j := first; j < i; j++ {
			p.seen.Add(p.Records[j].VersionID)
		}
	}
	return !p.seen.Add(id)
}

// merge merges the rows before and after cut. Within a key, the latest version
// comes first, then the newest. For equal times the section that was sent first
// comes first: stores that send sections report times in whole seconds.
func (p *Page) merge(cut int) {
	s := &p.scratch
	s.records = append(s.records[:0], p.Records...)
	s.millis = append(s.millis[:0], p.millis...)
	a, b := 0, cut
	for i := range p.Records {
		from := &b
		if b == len(s.records) || a < cut && s.first(a, b) {
			from = &a
		}
		p.Records[i], p.millis[i] = s.records[*from], s.millis[*from]
		*from++
	}
}

// first reports whether row a comes before row b.
func (s *sections) first(a, b int) bool {
	x, y := &s.records[a], &s.records[b]
	if c := bytes.Compare(x.Key, y.Key); c != 0 {
		return c < 0
	}
	if x.IsLatest != y.IsLatest {
		return x.IsLatest
	}
	return s.millis[a] >= s.millis[b]
}
