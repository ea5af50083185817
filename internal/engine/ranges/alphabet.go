package ranges

import (
	"math/bits"
	"slices"
	"unicode/utf8"
)

// A symbol is a character of a key, or a byte that is not part of a character; such
// bytes follow the characters. Characters, not bytes, are the digits of a key,
// because few combinations of a character's bytes occur.
type symbol = rune

// symbols calls f with the symbols of key and the number of each, until f returns false.
func symbols(key string, f func(i int, s symbol) bool) {
	for i := 0; key != ""; i++ {
		s, size := utf8.DecodeRuneInString(key)
		if s == utf8.RuneError && size == 1 {
			s = utf8.MaxRune + 1 + symbol(key[0])
		}
		if !f(i, s) {
			return
		}
		key = key[size:]
	}
}

func appendSymbol(key []byte, s symbol) []byte {
	if s > utf8.MaxRune {
		return append(key, byte(s-utf8.MaxRune-1))
	}
	return utf8.AppendRune(key, s)
}

// An alphabet is a set of symbols: some of ASCII, and either all others that were
// seen in the bucket or none of them.
type alphabet struct {
	ascii [2]uint64
	wide  bool
}

func (a *alphabet) add(s symbol) {
	if s < utf8.RuneSelf {
		a.ascii[s>>6] |= 1 << (s & 63)
	} else {
		a.wide = true
	}
}

func (a *alphabet) merge(b *alphabet) {
	a.ascii[0] |= b.ascii[0]
	a.ascii[1] |= b.ascii[1]
	a.wide = a.wide || b.wide
}

func (a *alphabet) contains(b *alphabet) bool {
	return b.ascii[0]&^a.ascii[0]|b.ascii[1]&^a.ascii[1] == 0 && (a.wide || !b.wide)
}

// len returns how many symbols the alphabet has; all those beyond ASCII together
// count as free.
func (a *alphabet) len() int {
	n := bits.OnesCount64(a.ascii[0]) + bits.OnesCount64(a.ascii[1])
	if a.wide {
		n += free
	}
	return n
}

// all returns the symbols, ascending. wide are those beyond ASCII.
func (a *alphabet) all(wide []symbol) (all []symbol) {
	for i, word := range a.ascii {
		for ; word != 0; word &= word - 1 {
			all = append(all, symbol(i<<6+bits.TrailingZeros64(word)))
		}
	}
	if a.wide {
		all = append(all, wide...)
	}
	return all
}

// Kinds of symbols. Names are made of few kinds at each place.
const (
	digit = 1 << iota
	lower
	upper
	wide     // beyond ASCII
	sign     // all others
	numKinds = iota
)

func kindOf(s symbol) int {
	switch {
	case s >= '0' && s <= '9':
		return digit
	case s >= 'a' && s <= 'z':
		return lower
	case s >= 'A' && s <= 'Z':
		return upper
	case s >= utf8.RuneSelf:
		return wide
	}
	return sign
}

func (a *alphabet) kinds() (kinds int) {
	for _, s := range a.all([]symbol{utf8.RuneSelf}) {
		kinds |= kindOf(s)
	}
	return kinds
}

// free is the assumed number of different symbols at a place of some keys that may
// have any of them.
const free = 6

// Alphabets are the symbols that were seen in the keys of a bucket.
type alphabets struct {
	// free are the symbols of places where many symbols occur, by their kinds. A
	// place that has shown only one digit so far most likely has the other digits too
	// and, if digits and letters are mixed as in a hash, also the letters.
	free [1 << numKinds]alphabet

	// at are the symbols of each place from the beginning of the keys, in all pages
	// looked at. For keys of the same structure they are soon complete.
	at    [maxPlaces]alphabet
	pages int

	folders [maxDepth]folders // by how deep they are

	wide []symbol // those beyond ASCII, ascending, at most maxWide
}

// maxWide bounds the number of symbols beyond ASCII that are distinguished.
const maxWide = 4096

// see records a symbol.
func (k *alphabets) see(s symbol) {
	if s < utf8.RuneSelf || len(k.wide) == maxWide {
		return
	}
	if i, seen := slices.BinarySearch(k.wide, s); !seen {
		k.wide = slices.Insert(k.wide, i, s)
	}
}

const (
	maxPlaces = 128

	// enough is the number of pages after which all symbols of a place are taken as
	// seen.
	enough = 24
)

// learn records some keys of a page.
func (k *alphabets) learn(keys []string) {
	var seen [maxPlaces]alphabet
	n := 0
	for _, key := range keys {
		k.learnFolders(key)
		symbols(key, func(i int, s symbol) bool {
			if i == maxPlaces {
				return false
			}
			seen[i].add(s)
			k.see(s)
			n = max(n, i+1)
			return true
		})
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

// complete adds to the symbols seen at a place those that are likely there too. first
// says that it is the first place where the keys of a range differ. The pages seen
// may all lie before the range, so symbols that they do not show at that place may
// still occur there.
func (k *alphabets) complete(a *alphabet, place int, first bool) {
	if k.pages >= enough && place < maxPlaces && k.at[place].len() > 1 {
		if a.merge(&k.at[place]); !first {
			return
		}
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

var digits = alphabet{ascii: [2]uint64{0x3FF << '0'}}
