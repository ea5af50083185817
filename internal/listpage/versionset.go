package listpage

import (
	"bytes"
	"hash/maphash"
)

// A VersionSet is a set of version ids. The zero value is empty. It copies the ids.
// It allocates memory only if it becomes larger than ever before.
//
// Many stores list versions in the order of their ids. While ids are added in
// order, an id beyond the last one is known to be new, and no table is needed.
type VersionSet struct {
	ids   []byte  // one after another
	ends  []int   // of each in ids
	order int     // 1: they ascend; -1: they descend; 0: there are fewer than two
	table []int32 // by hash: the number of an id, from 1; 0: none; empty: the ids are in order
}

var versionSeed = maphash.MakeSeed()

// Len returns the number of ids.
func (s *VersionSet) Len() int { return len(s.ends) }

// Clear removes all ids.
func (s *VersionSet) Clear() {
	s.ids, s.ends, s.order, s.table = s.ids[:0], s.ends[:0], 0, s.table[:0]
}

// Has reports whether id is in the set.
func (s *VersionSet) Has(id []byte) bool {
	if len(s.table) == 0 {
		if _, behind := s.behind(id); behind {
			return false
		}
		s.grow()
	}
	return *s.place(id) != 0
}

// Add adds id. It returns false if id is already in the set.
func (s *VersionSet) Add(id []byte) bool {
	if len(s.table) == 0 {
		if order, behind := s.behind(id); behind {
			s.order = order
			s.append(id)
			return true
		}
	}
	if 2*len(s.ends) >= len(s.table) {
		s.grow()
	}
	place := s.place(id)
	if *place != 0 {
		return false
	}
	s.append(id)
	*place = int32(len(s.ends))
	return true
}

// behind reports whether id comes after all others, provided that they are in
// order, and which order they have with it.
func (s *VersionSet) behind(id []byte) (order int, behind bool) {
	n := len(s.ends)
	if n == 0 {
		return 0, true
	}
	order = bytes.Compare(id, s.id(n-1))
	return order, order != 0 && (s.order == order || n == 1)
}

func (s *VersionSet) append(id []byte) {
	s.ids = append(s.ids, id...)
	s.ends = append(s.ends, len(s.ids))
}

// place returns the table slot for the number of id.
func (s *VersionSet) place(id []byte) *int32 {
	mask := uint64(len(s.table) - 1)
	for i := maphash.Bytes(versionSeed, id) & mask; ; i = (i + 1) & mask {
		if n := s.table[i]; n == 0 || string(s.id(int(n)-1)) == string(id) {
			return &s.table[i]
		}
	}
}

func (s *VersionSet) id(n int) []byte {
	from := 0
	if n > 0 {
		from = s.ends[n-1]
	}
	return s.ids[from:s.ends[n]]
}

// grow makes a table with at least twice as many slots as there are ids.
func (s *VersionSet) grow() {
	n := max(16, 2*len(s.table))
	for n < 2*len(s.ends)+2 {
		n *= 2
	}
	if n > cap(s.table) {
		s.table = make([]int32, n)
	} else {
		s.table = s.table[:n]
		clear(s.table)
	}
	for i := range s.ends {
		*s.place(s.id(i)) = int32(i + 1)
	}
}
