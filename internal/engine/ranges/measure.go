package ranges

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDigits is how many bytes of a key, after those that all keys of a range
// share, decide where it lies.
const maxDigits = 40

// An alphabet is a set of bytes.
type alphabet [4]uint64

func (a *alphabet) add(b byte)      { a[b>>6] |= 1 << (b & 63) }
func (a *alphabet) has(b byte) bool { return a[b>>6]&(1<<(b&63)) != 0 }

func (a *alphabet) merge(b *alphabet) {
	for i := range a {
		a[i] |= b[i]
	}
}

func (a *alphabet) contains(b *alphabet) bool {
	return b[0]&^a[0]|b[1]&^a[1]|b[2]&^a[2]|b[3]&^a[3] == 0
}

func (a *alphabet) len() int {
	return bits.OnesCount64(a[0]) + bits.OnesCount64(a[1]) + bits.OnesCount64(a[2]) + bits.OnesCount64(a[3])
}

func (a *alphabet) bytes() (all []byte) {
	for b := range 256 {
		if a.has(byte(b)) {
			all = append(all, byte(b))
		}
	}
	return all
}

// Kinds of bytes. Names are made of few kinds at each place.
const (
	digit = 1 << iota
	lower
	upper
	lead     // first byte of a character of several
	trail    // other byte of such a character
	sign     // all others
	numKinds = iota
)

func kindOf(b byte) int {
	switch {
	case b-'0' < 10:
		return digit
	case b-'a' < 26:
		return lower
	case b-'A' < 26:
		return upper
	case b >= 0xC0:
		return lead
	case b >= 0x80:
		return trail
	}
	return sign
}

func (a *alphabet) kinds() (kinds int) {
	for _, b := range a.bytes() {
		kinds |= kindOf(b)
	}
	return kinds
}

// free is how many different bytes stand at a place of some keys that is taken
// for one that has any of them.
const free = 6

// Alphabets are those that were seen in the keys of a bucket.
type alphabets struct {
	// free are those of places where many bytes occur, by their kinds. A place
	// that shows but one digit so far most likely has the other digits too, and
	// where digits and letters are mixed, as in a hash, also these.
	free [1 << numKinds]alphabet

	// at are those of the places from the beginning of the keys on, in all pages
	// looked at. In keys that are built alike they are soon complete.
	at    [maxPlaces]alphabet
	pages int

	folders [maxDepth]folders // by how deep they are
}

const (
	maxPlaces = 128

	// enough pages show all bytes that there are at a place.
	enough = 24
)

// learn takes note of some keys of a page.
func (k *alphabets) learn(keys []string) {
	var seen [maxPlaces]alphabet
	n := 0
	for _, key := range keys {
		k.learnFolders(key)
		n = max(n, min(len(key), maxPlaces))
		for i := range min(len(key), maxPlaces) {
			seen[i].add(key[i])
		}
	}
	for i := range n {
		a := &seen[i]
		if a.len() >= free {
			k.free[a.kinds()].merge(a)
		}
		k.at[i].merge(a)
	}
	k.pages++
}

// complete adds to what was seen at a place what is likely there too.
func (k *alphabets) complete(a *alphabet, place int) {
	if k.pages >= enough && place < maxPlaces && k.at[place].len() > 1 {
		a.merge(&k.at[place])
		return
	}
	kinds := a.kinds()
	if kinds&digit != 0 {
		a.merge(&digits)
	}
	best := 0
	for other := range k.free {
		if other&kinds == kinds && k.free[other].contains(a) && (best == 0 || bits.OnesCount(uint(other)) < bits.OnesCount(uint(best))) {
			best = other
		}
	}
	a.merge(&k.free[best])
}

var digits = alphabet{0: 0x3FF << '0'}

// A measure turns the keys of a range into numbers, as if each place after what
// they share had a digit: its byte, among those that occur there. Numbers are
// then about as far apart as there are keys between them, which bytes are not.
type measure struct {
	shared string     // by all keys
	levels [][]string // names of the folders behind it, each of which is a digit
	heavy  []*big.Int // weight of a digit of each level
	places [][]byte   // the bytes that occur at each place, ascending
	weight []*big.Int // of a digit at each place
	whole  *big.Int   // more than the number of any key

	shortest int // bytes of the shortest key after what they share
}

// newMeasure returns the measure of keys from lo to hi, empty if there is no
// bound but the prefix. samples are keys of about there; known are the
// alphabets of the bucket.
func newMeasure(prefix, lo, hi string, samples []string, known *alphabets) *measure {
	m := &measure{shared: prefix}
	if hi != "" {
		n := 0
		for n < len(lo) && n < len(hi) && lo[n] == hi[n] {
			n++
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
		n = max(n, min(len(key), maxDigits))
		shortest = min(shortest, len(key))
		for i := range min(len(key), maxDigits) {
			seen[i].add(key[i])
		}
	}
	if hi != "" && len(m.levels) == 0 {
		n = max(n, min(len(hi)-len(m.shared), maxDigits))
	}
	for i := range n {
		a := &seen[i]
		at := len(m.shared) + i
		if len(m.levels) > 0 {
			at = maxPlaces // names are of different lengths
		}
		known.complete(a, at)
		if at < len(hi) {
			a.add(hi[at]) // it is a bound, which says nothing about keys
		}
		all := a.bytes()
		if last := all[len(all)-1]; last < 0xF4 && begins(lo, at) {
			all = append(all, last+1) // names that come after those seen
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

// below passes over the folders at the beginning of rest, which comes after what is
// shared, and returns their digits. whole is false if there is another folder than those
// that are known, or none: then the last digit is that of the next one.
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

// begins reports whether place i of key is the beginning of a name.
func begins(key string, i int) bool { return i == 0 || i <= len(key) && key[i-1] == '/' }

// end returns 1 if keys may end before place i, which is a digit less than all
// bytes; else 0.
func (m *measure) end(i int) int {
	if i >= m.shortest {
		return 1
	}
	return 0
}

// of returns the number of key; empty is the end of the range without a bound.
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
	for i, all := range m.places {
		if i >= len(key) {
			break
		}
		rank := 0
		for rank < len(all) && all[rank] <= key[i] {
			rank++
		}
		digit := max(rank-1, 0)
		if rank > 0 {
			digit += m.end(i)
		}
		n.Add(n, d.Mul(m.weight[i], d.SetInt64(int64(digit))))
		if rank == 0 || all[rank-1] != key[i] { // no key seen has this byte here
			if rank > 0 {
				n.Add(n, m.weight[i]).Sub(n, big.NewInt(1))
			}
			break
		}
	}
	return n
}

// key returns a short key about distance behind lo, and greater than lo.
func (m *measure) key(lo string, distance float64) (string, bool) {
	d, _ := big.NewFloat(distance).Int(nil)
	n := m.of(lo)
	n.Add(n, d)
	if n.Cmp(m.whole) >= 0 {
		return "", false
	}
	tolerance := new(big.Int).Rsh(d, 3)
	key := append([]byte(nil), m.shared...)
	var digit big.Int
	for i, names := range m.levels {
		digit.QuoRem(n, m.heavy[i], n)
		key = append(key, names[int(digit.Int64())]...)
		if n.Cmp(tolerance) <= 0 && string(key) > lo {
			return string(key), true
		}
	}
	for i, all := range m.places {
		digit.QuoRem(n, m.weight[i], n)
		rank := int(digit.Int64()) - m.end(i)
		if rank < 0 {
			break
		}
		key = append(key, all[rank])
		if n.Cmp(tolerance) <= 0 && string(key) > lo {
			break
		}
	}
	cut := wholeCharacters(key)
	return cut, cut > lo
}

// wholeCharacters returns the least valid UTF-8 that is not less than key, if
// key is the beginning of such. Stores may insist on valid markers.
func wholeCharacters(key []byte) string {
	for i := 0; i < len(key); {
		r, size := utf8.DecodeRune(key[i:])
		if r != utf8.RuneError || size > 1 {
			i += size
			continue
		}
		head, tail := key[:i:i], key[i:]
		if r := leastRune(tail); r > 0 {
			return string(utf8.AppendRune(head, r))
		}
		return string(key)
	}
	return string(key)
}

// leastRune returns the least character whose encoding is not less than tail; 0
// if there is none.
func leastRune(tail []byte) rune {
	low, high := rune(0x80), rune(utf8.MaxRune+1)
	var buf [utf8.UTFMax]byte
	for low < high {
		mid := low + (high-low)/2
		r := mid
		if r >= 0xD800 && r < 0xE000 {
			r = 0xE000
		}
		if string(utf8.AppendRune(buf[:0], r)) >= string(tail) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low > utf8.MaxRune {
		return 0
	}
	if low >= 0xD800 && low < 0xE000 {
		low = 0xE000
	}
	return low
}

// step returns how far apart two keys are that differ by one in the digit before that of
// the byte at of key. ok is false if it has none.
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
		digit += at - end
	}
	if digit < 1 || digit > len(weights) {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(weights[digit-1]).Float64()
	return f, true
}

// between returns how far b is behind a; at least 0.
func (m *measure) between(a, b string) float64 {
	d := m.of(b)
	d.Sub(d, m.of(a))
	f, _ := new(big.Float).SetInt(d).Float64()
	return max(f, 0)
}

// spread returns the quantile q, from 0 to 1, of a distance from least to most,
// of which is known that with probability even it is evenly spread, and else
// that its order of magnitude is.
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
