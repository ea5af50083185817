package take

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

const (
	// endProbes bounds the search for the last key, densityProbes the places at which
	// the density of keys is probed.
	endProbes     = 40
	densityProbes = 24

	// firstCuts is the number of parts of equal width into which the keys are cut at
	// first.
	firstCuts = 8
)

// A survey estimates the number of keys without listing them.
type survey struct {
	ctx      context.Context
	snap     engine.Snapshot
	prefix   string
	versions bool

	page   int                // rows of the largest page
	bytes  [256]bool          // that occur in keys
	some   []string           // first and last keys of pages, and some in between
	probes int                // requests
	sample []stocktake.Record // the first object; empty: the first page has none
	spent  time.Duration
}

var errEnough = errors.New("enough has been listed")

// first reads the first page. all says that it is the only page.
func (s *survey) first() (keys []string, all bool, err error) {
	pages := 0
	begin := time.Now()
	err = s.snap.Scan(s.ctx, engine.Segment{Prefix: s.prefix}, s.versions, func(batch []stocktake.Record) error {
		if pages++; pages > 1 {
			return errEnough
		}
		keys = s.keysOf(batch)
		s.takeSample(batch)
		return nil
	})
	s.probes, s.spent, s.page = max(pages, 1), time.Since(begin), len(keys)
	if errors.Is(err, errEnough) {
		return keys, false, nil
	}
	return keys, true, err
}

// takeSample keeps an object of a page.
func (s *survey) takeSample(batch []stocktake.Record) {
	for _, r := range batch {
		if !r.IsDeleteMarker {
			r.Key, r.VersionID, r.ETag = bytes.Clone(r.Key), bytes.Clone(r.VersionID), stocktake.ETag{}
			s.sample = []stocktake.Record{r}
			return
		}
	}
}

// at reads the page that begins at a key. full says that more may follow.
func (s *survey) at(from string) (keys []string, full bool, err error) {
	begin := time.Now()
	err = s.snap.Scan(s.ctx, engine.Segment{Prefix: s.prefix, From: from}, s.versions, func(batch []stocktake.Record) error {
		keys = s.keysOf(batch)
		return errEnough
	})
	s.probes++
	s.spent += time.Since(begin)
	s.page = max(s.page, len(keys))
	if errors.Is(err, errEnough) {
		err = nil
	}
	return keys, len(keys) >= s.page, err
}

func (s *survey) keysOf(batch []stocktake.Record) []string {
	keys := make([]string, len(batch))
	for i := range batch {
		keys[i] = string(batch[i].Key)
		for _, c := range batch[i].Key {
			s.bytes[c] = true
		}
		if i%32 == 0 || i == len(batch)-1 {
			s.some = append(s.some, keys[i])
		}
	}
	return keys
}

// A stretch is a range of keys that was probed at its beginning.
type stretch struct {
	from, to float64 // places
	first    float64 // of the keys of the page
	seen     float64 // the last of them
	rows     int     // rows of the page that are in the stretch
	whole    bool    // the page had all of them
}

func (st *stretch) estimate() float64 {
	if st.whole {
		return float64(st.rows)
	}
	// Assume that keys after the page are as dense as on it.
	return float64(st.rows) * (1 + (st.to-st.seen)/max(st.seen-st.first, 1e-15))
}

// count estimates the number of keys; first is the first page.
func (s *survey) count(first []string) (int64, error) {
	last, tail, err := s.last(first)
	if err != nil {
		return 0, err
	}
	space := newSpace(first[0], last, s.some)
	begin, end := space.place(first[len(first)-1]), space.place(tail[0])
	if begin >= end {
		return int64(len(first) + len(tail)), nil
	}
	var all []stretch
	for i := range firstCuts {
		width := (end - begin) / firstCuts
		st, err := s.look(&space, begin+float64(i)*width, begin+float64(i+1)*width)
		if err != nil {
			return 0, err
		}
		all = append(all, st)
	}
	for range densityProbes - firstCuts {
		most := -1
		for i := range all {
			if !all[i].whole && (most < 0 || all[i].estimate() > all[most].estimate()) {
				most = i
			}
		}
		if most < 0 {
			break
		}
		st := &all[most]
		middle := (max(st.seen, st.from) + st.to) / 2
		if middle <= st.from || middle >= st.to {
			st.whole = true // it cannot be cut further
			continue
		}
		upper, err := s.look(&space, middle, st.to)
		if err != nil {
			return 0, err
		}
		st.to = middle
		all = append(all, upper)
	}
	sum := float64(len(first) + len(tail))
	for i := range all {
		sum += all[i].estimate()
	}
	return int64(sum), nil
}

// look reads the page at the beginning of a stretch.
func (s *survey) look(space *space, from, to float64) (stretch, error) {
	keys, full, err := s.at(space.key(from))
	if err != nil {
		return stretch{}, err
	}
	st := stretch{from: from, to: to, first: from, seen: from, whole: !full}
	for _, k := range keys {
		place := space.place(k)
		if place >= to {
			st.whole = true
			return st, nil
		}
		if st.rows++; st.rows == 1 {
			st.first = place
		}
		st.seen = place
	}
	return st, nil
}

// last finds the last key and the page that ends with it. It proceeds byte by byte:
// at each position it checks whether any key has a greater byte, and finds the
// greatest one by bisection.
func (s *survey) last(first []string) (last string, tail []string, err error) {
	low, tail := first[len(first)-1], first[len(first)-1:]
	path := shared(first[0], low)
	if keys, _, err := s.at(after(path)); err != nil || len(keys) > 0 {
		if err != nil {
			return "", nil, err
		}
		low, tail, path = keys[len(keys)-1], keys, s.prefix
	}
	for s.probes < endProbes && len(path) < len(low) {
		c, high := low[len(path)], 256
		for next := int(c) + 1; next < high && s.probes < endProbes; next = s.halve(int(low[len(path)]), high) {
			keys, full, err := s.at(path + string([]byte{byte(next)}))
			switch {
			case err != nil:
				return "", nil, err
			case len(keys) == 0:
				high = next
			case !full:
				return keys[len(keys)-1], keys, nil
			default:
				low, tail = keys[len(keys)-1], keys
			}
		}
		path = low[:len(path)+1]
	}
	return low, tail, nil // close to the last key
}

// halve returns the middle one of those bytes between low and high that occur in
// keys, or high if there is none.
func (s *survey) halve(low, high int) int {
	var in []int
	for c := low + 1; c < high; c++ {
		if s.bytes[c] {
			in = append(in, c)
		}
	}
	if len(in) == 0 {
		return high
	}
	return in[len(in)/2]
}

// after returns a key that comes after all keys with the prefix, or "" if there is
// none.
func after(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return "\xff"
}

// shared returns the common prefix of two keys.
func shared(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// maxDigits is how many bytes of a key determine its place.
const maxDigits = 12

// A space maps keys to places between 0 and 1. The bytes after the common prefix
// are the digits of a number; the base of each digit is the alphabet of the keys at
// that position.
type space struct {
	shared string
	digits [maxDigits][]byte // ascending
}

// alphabets are the alphabets that a position is assumed to have if all bytes seen
// there belong to one: a few pages do not show every digit.
var alphabets = []string{"0123456789", "0123456789abcdef", "0123456789ABCDEF", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

// newSpace derives the alphabets from some keys.
func newSpace(first, last string, keys []string) space {
	sp := space{shared: shared(first, last)}
	for i := range sp.digits {
		var seen [256]bool
		for _, k := range keys {
			if at := len(sp.shared) + i; at < len(k) && k[:len(sp.shared)] == sp.shared {
				seen[k[at]] = true
			}
		}
		var letters []byte
		for c := range seen {
			if seen[c] {
				letters = append(letters, byte(c))
			}
		}
		for _, a := range alphabets {
			if len(letters) > 1 && len(bytes.Trim(letters, a)) == 0 {
				letters = []byte(a)
				break
			}
		}
		sp.digits[i] = letters
	}
	return sp
}

func (sp *space) place(key string) float64 {
	rest, ok := strings.CutPrefix(key, sp.shared)
	if !ok {
		if key < sp.shared {
			return 0
		}
		return 1
	}
	place, width := 0.0, 1.0
	for i, letters := range sp.digits {
		if i >= len(rest) || len(letters) == 0 {
			break
		}
		n, found := slices.BinarySearch(letters, rest[i])
		width /= float64(len(letters))
		place += float64(n) * width
		if !found {
			break
		}
	}
	return place
}

// key returns the first key at a place.
func (sp *space) key(place float64) string {
	key := []byte(sp.shared)
	for _, letters := range sp.digits {
		if len(letters) == 0 {
			break
		}
		place *= float64(len(letters))
		n := min(int(place), len(letters)-1)
		key = append(key, letters[n])
		place -= float64(n)
	}
	return string(key)
}
