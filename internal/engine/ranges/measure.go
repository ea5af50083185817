package ranges

import (
	"hash/fnv"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDigits is how many symbols of a key, after those that all keys of a range share,
// determine its position.
const maxDigits = 40

// A measure converts the keys of a range to numbers, as if each place after the
// shared prefix had a digit: its symbol, among those that occur there. The distance
// of two numbers is then about proportional to the number of keys between them, which
// is not true of bytes.
type measure struct {
	shared string     // by all keys
	levels [][]string // names of the folders behind it, each of which is a digit
	heavy  []*big.Int // weight of a digit of each level
	places [][]symbol // that occur at each place, ascending
	weight []*big.Int // of a digit at each place
	whole  *big.Int   // more than the number of any key

	shortest int // symbols of the shortest key after what they share
}

// newMeasure returns the measure of keys from lo to hi; hi is empty if the prefix is
// the only bound. samples are keys from about this range; known are the alphabets of
// the bucket.
func newMeasure(prefix, lo, hi string, samples []string, known *alphabets) *measure {
	m := &measure{shared: prefix}
	if hi != "" {
		n := 0
		for n < len(lo) && n < len(hi) && lo[n] == hi[n] {
			n++
		}
		for n > 0 && n < len(lo) && !utf8.RuneStart(lo[n]) {
			n--
		}
		m.shared = lo[:n]
	}
	var like []string // keys of the range
	for _, key := range append(samples, lo) {
		if strings.HasPrefix(key, m.shared) {
			like = append(like, key)
		}
	}
	folder := m.shared[:strings.LastIndexByte(m.shared, '/')+1]
	if m.levels = known.levelsBelow(folder, like); len(m.levels) > 0 {
		m.shared = folder
	}
	var seen [maxDigits]alphabet
	n, shortest := 0, maxDigits
	for _, key := range like {
		_, key, _ = m.below(key[len(m.shared):])
		size := 0
		symbols(key, func(i int, s symbol) bool {
			if i == maxDigits {
				return false
			}
			seen[i].add(s)
			known.see(s)
			size = i + 1
			return true
		})
		n, shortest = max(n, size), min(shortest, size)
	}
	var bound []symbol
	var begins [maxDigits + 1]bool // of names
	if len(m.levels) == 0 {
		if len(hi) > len(m.shared) {
			symbols(hi[len(m.shared):], func(_ int, s symbol) bool {
				known.see(s)
				bound = append(bound, s)
				return len(bound) < maxDigits
			})
			n = max(n, len(bound))
		}
		begins[0] = m.shared == "" || m.shared[len(m.shared)-1] == '/'
		symbols(lo[min(len(m.shared), len(lo)):], func(i int, s symbol) bool {
			begins[i+1] = s == '/'
			return i+1 < maxDigits
		})
	}
	before := utf8.RuneCountInString(m.shared)
	for i := range n {
		a := &seen[i]
		at := before + i
		if len(m.levels) > 0 {
			at = maxPlaces // names are of different lengths
		}
		known.complete(a, at, i == 0)
		if i < len(bound) {
			a.add(bound[i]) // it says nothing about keys
		}
		all := a.all(known.wide)
		if last := all[len(all)-1]; last < utf8.MaxRune && begins[i] {
			all = append(all, after(last)) // names that come after those seen
		}
		m.places = append(m.places, all)
	}
	m.shortest = shortest
	m.weight = make([]*big.Int, n)
	w := big.NewInt(1)
	for i := n - 1; i >= 0; i-- {
		m.weight[i] = new(big.Int).Set(w)
		w.Mul(w, big.NewInt(int64(len(m.places[i])+m.end(i))))
	}
	m.heavy = make([]*big.Int, len(m.levels))
	for i := len(m.levels) - 1; i >= 0; i-- {
		m.heavy[i] = new(big.Int).Set(w)
		w.Mul(w, big.NewInt(int64(len(m.levels[i]))))
	}
	m.whole = w
	return m
}

// below skips the folders at the beginning of rest, the part of a key after the
// shared prefix, and returns their digits. whole is false if there is a folder that
// is not known, or none: then the last digit is that of the next folder.
func (m *measure) below(rest string) (digits []int, name string, whole bool) {
	for _, names := range m.levels {
		at, known := slices.BinarySearch(names, rest[:strings.IndexByte(rest, '/')+1])
		if !known {
			at, _ = slices.BinarySearch(names, rest)
			return append(digits, at), "", false
		}
		digits = append(digits, at)
		rest = rest[len(names[at]):]
	}
	return digits, rest, true
}

// after returns the next character.
func after(s symbol) symbol {
	if s++; s >= 0xD800 && s < 0xE000 {
		return 0xE000
	}
	return s
}

// end returns 1 if keys may end before place i, where the end is a digit less than
// all bytes; else 0.
func (m *measure) end(i int) int {
	if i >= m.shortest {
		return 1
	}
	return 0
}

// of returns the number of key; an empty key is the end of a range without a bound.
func (m *measure) of(key string) *big.Int {
	n := new(big.Int)
	if key == "" {
		return n.Set(m.whole)
	}
	if !strings.HasPrefix(key, m.shared) {
		if key > m.shared {
			n.Set(m.whole)
		}
		return n
	}
	digits, key, whole := m.below(key[len(m.shared):])
	var d big.Int
	for i, digit := range digits {
		n.Add(n, d.Mul(m.heavy[i], d.SetInt64(int64(digit))))
	}
	if !whole {
		return n
	}
	symbols(key, func(i int, s symbol) bool {
		if i == len(m.places) {
			return false
		}
		rank, seen := slices.BinarySearch(m.places[i], s)
		if seen {
			n.Add(n, d.Mul(m.weight[i], d.SetInt64(int64(rank+m.end(i)))))
			return true
		}
		// No key seen has this symbol here: it comes after all keys that begin with
		// the symbol before it.
		if rank > 0 {
			n.Add(n, d.Mul(m.weight[i], d.SetInt64(int64(rank+m.end(i))))).Sub(n, big.NewInt(1))
		}
		return false
	})
	return n
}

// key returns a short key about distance behind lo, and greater than lo. page is the
// distance of the first keys of two pages.
//
// If keys are numbers, a short key is a round number. A page that begins at one round
// key ends just before another, and only the next page, which is empty, shows that it
// was the last one before a cut. So the key is moved by a fraction of a page. If
// folders is set, a folder that begins near there is not moved: if the distance is a
// rough guess, it is the better cut.
func (m *measure) key(lo string, distance, page float64, folders bool) (string, bool) {
	d, _ := big.NewFloat(distance).Int(nil)
	n := m.of(lo)
	n.Add(n, d)
	if n.Cmp(m.whole) >= 0 {
		return "", false
	}
	tolerance := new(big.Int).Rsh(d, 3)
	key := append([]byte(nil), m.shared...)
	var digit big.Int
	moved := false
	enough := func(weight *big.Int) bool {
		if n.Cmp(tolerance) > 0 || string(key) <= lo {
			return false
		}
		if moved {
			return true
		}
		moved = true
		if big.NewFloat(page * someOf(key)).Int(n); n.Cmp(weight) >= 0 {
			return true // it would be another digit
		}
		big.NewFloat(page / 64).Int(tolerance)
		return n.Cmp(tolerance) <= 0
	}
	for i, names := range m.levels {
		digit.QuoRem(n, m.heavy[i], n)
		key = append(key, names[int(digit.Int64())]...)
		if folders && n.Cmp(tolerance) <= 0 && string(key) > lo || enough(m.heavy[i]) {
			return string(key), true
		}
	}
	for i, all := range m.places {
		digit.QuoRem(n, m.weight[i], n)
		rank := int(digit.Int64()) - m.end(i)
		if rank < 0 {
			break
		}
		key = appendSymbol(key, all[rank])
		if enough(m.weight[i]) {
			break
		}
	}
	return string(key), string(key) > lo
}

// someOf returns a number from 1/8 to 7/8 that differs for most keys.
func someOf(key []byte) float64 {
	h := fnv.New32a()
	h.Write(key) // never fails
	return 1.0/8 + 3.0/4*float64(h.Sum32())/math.MaxUint32
}

// step returns the distance of two keys that differ by one in the digit before the
// digit of the byte at of key. ok is false if there is no such digit.
func (m *measure) step(key string, at int) (distance float64, ok bool) {
	weights := append(m.heavy[:len(m.heavy):len(m.heavy)], m.weight...)
	digit, end := 0, len(m.shared)
	for i := range m.levels {
		n := strings.IndexByte(key[min(end, len(key)):], '/')
		if end += n + 1; n < 0 || at < end {
			break
		}
		digit = i + 1
	}
	if digit == len(m.levels) {
		digit += utf8.RuneCountInString(key[end:max(at, end)])
	}
	if digit < 1 || digit > len(weights) {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(weights[digit-1]).Float64()
	return f, true
}

// between returns the distance from a to b; at least 0.
func (m *measure) between(a, b string) float64 {
	d := m.of(b)
	d.Sub(d, m.of(a))
	f, _ := new(big.Float).SetInt(d).Float64()
	return max(f, 0)
}

// spread returns the quantile q, from 0 to 1, of a distance from least to most. With
// probability even the distance is evenly distributed, else its order of magnitude
// is.
func spread(q, least, most, even float64) float64 {
	if most <= least {
		return most
	}
	scale := math.Log(most / least)
	low, high := 0.0, 1.0 // of the logarithm
	for range 40 {
		mid := (low + high) / 2
		x := least * math.Exp(mid*scale)
		if even*x/most+(1-even)*mid < q {
			low = mid
		} else {
			high = mid
		}
	}
	return least * math.Exp(low*scale)
}
