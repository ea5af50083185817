package rollup

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// A word is an extension of at most seven bytes, whose first byte is the lowest
// one.
type word uint64

// extensions count objects by the extension of their keys.
type extensions struct {
	slots  []extension     // slots[0] counts objects without an extension
	index  map[word]uint16 // of slots, by the extension in lower case
	folded FoldedExtension

	// recent finds the slot of an extension in the spelling of a key. The entry of a
	// word is chosen by its hash; an empty entry has no word.
	recent [256]struct {
		word word
		slot uint16
	}
}

type extension struct {
	word word
	Count
	late bool // first seen after others were folded
}

const (
	maxSlots = MaxExtensions + 1
	fewSlots = 16 // most buckets need no more
)

func (x *extensions) init() {
	x.slots = make([]extension, 1, fewSlots)
	x.index = make(map[word]uint16, fewSlots)
}

func (x *extensions) reset() {
	x.slots = x.slots[:1]
	x.slots[0] = extension{}
	x.folded = FoldedExtension{}
	x.forget()
}

// forget clears the tables that are derived from the slots.
func (x *extensions) forget() {
	clear(x.index)
	clear(x.recent[:])
}

const (
	dots  = 0x2e2e2e2e2e2e2e2e
	lower = 0x7f7f7f7f7f7f7f7f // the low seven bits of each byte
)

// add counts an object whose key has the last eight bytes end.
func (x *extensions) add(key []byte, end uint64, size int64) {
	// The highest bit of each byte of found says that it is a dot.
	d := end ^ dots
	found := ^((d&lower + lower) | d | lower)
	slot := uint16(0)
	// An extension follows the last dot, which is not the last byte. A name whose
	// only dot is its first byte has no extension.
	if n := bits.LeadingZeros64(found) / 8; n >= 1 && n <= 7 && end>>56 != 0 {
		if at := len(key) - n - 1; at > 0 && key[at-1] != '/' {
			w := word(end >> (64 - 8*n))
			e := &x.recent[uint64(w)*0x9e3779b97f4a7c15>>56]
			if e.word != w {
				e.word, e.slot = w, x.find(w)
			}
			slot = e.slot
		}
	}
	s := &x.slots[slot]
	s.Objects++
	s.Bytes += size
}

// addShort counts an object whose key has fewer than eight bytes.
func (x *extensions) addShort(key []byte, size int64) {
	var end [8]byte
	copy(end[8-len(key):], key)
	x.add(key, binary.LittleEndian.Uint64(end[:]), size)
}

// find returns the slot of an extension in the spelling of a key.
func (x *extensions) find(w word) uint16 {
	w, ok := canonical(w)
	if !ok {
		return 0
	}
	if slot, ok := x.index[w]; ok {
		return slot
	}
	if len(x.slots) == maxSlots {
		x.fold(MaxExtensions / 2)
	}
	slot := uint16(len(x.slots))
	x.slots = append(x.slots, extension{word: w, late: x.folded.Extensions > 0})
	x.index[w] = slot
	return slot
}

// canonical returns the extension in lower case, or false if w is not an extension.
func canonical(w word) (word, bool) {
	letter := false
	for shift := 0; shift < 64 && w>>shift != 0; shift += 8 {
		switch c := byte(w >> shift); {
		case 'a' <= c && c <= 'z':
			letter = true
		case 'A' <= c && c <= 'Z':
			w |= 0x20 << shift
			letter = true
		case '0' <= c && c <= '9':
		default:
			return 0, false
		}
	}
	return w, letter
}

// fold keeps the n extensions with the most objects.
func (x *extensions) fold(n int) {
	rest := x.slots[1:]
	slices.SortFunc(rest, func(a, b extension) int {
		return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.word.String(), b.word.String()))
	})
	for _, e := range rest[n:] {
		x.folded.Extensions++
		x.folded.add(e.Count)
	}
	x.slots = x.slots[:1+n]
	x.forget()
	for i, e := range x.slots[1:] {
		x.index[e.word] = uint16(i + 1)
	}
}

func (w word) String() string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(w))
	n := 0
	for n < len(b) && b[n] != 0 {
		n++
	}
	return string(b[:n])
}

func (x *extensions) list() ([]Extension, FoldedExtension) {
	out := make([]Extension, 0, len(x.slots))
	for _, e := range x.slots {
		if e.Objects > 0 {
			out = append(out, Extension{e.word.String(), e.Count, e.late})
		}
	}
	slices.SortFunc(out, byObjects)
	return out, x.folded
}

func byObjects(a, b Extension) int {
	return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Extension, b.Extension))
}
