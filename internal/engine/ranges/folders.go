package ranges

import (
	"slices"
	"strings"
)

// If the folders of a bucket have the same structure, such as the hours of each day,
// few names occur at some depth, each of them in many folders. There a whole name is
// a digit of a key, because its bytes carry no more information.

// maxFolders bounds the number of different names at a depth for which they are
// digits.
const maxFolders = 64

// folders are the names that were seen at a depth, each with its final slash.
type folders struct {
	names   []string // ascending
	parents []string // of each, the folder it was first seen in
	again   []bool   // of each, it was seen in another folder too
	many    bool     // there are more than maxFolders
	whole   bool     // all of them were seen, or nearly
}

// see records a folder.
func (f *folders) see(parent, name string) {
	if f.many {
		return
	}
	i, seen := slices.BinarySearch(f.names, name)
	switch {
	case seen:
		f.again[i] = f.again[i] || f.parents[i] != parent
	case len(f.names) == maxFolders:
		*f = folders{many: true} // which takes no memory
	default:
		f.names = slices.Insert(f.names, i, name)
		f.parents = slices.Insert(f.parents, i, parent)
		f.again = slices.Insert(f.again, i, false)
	}
}

// alike reports whether the names occur in most folders of that depth.
func (f *folders) alike() bool {
	if f.whole {
		return true
	}
	n := 0
	for _, again := range f.again {
		if again {
			n++
		}
	}
	return len(f.names) > 1 && 4*n >= 3*len(f.names)
}

// learnFolders records the folders of a key.
func (k *alphabets) learnFolders(key string) {
	start := 0
	for d := range k.folders {
		n := strings.IndexByte(key[start:], '/')
		if n < 0 {
			return
		}
		k.folders[d].see(key[:start], key[start:start+n+1])
		start += n + 1
	}
}

// levelsBelow returns the names of the folders below a folder, level by level, as
// long as they are the same in all folders, also in keys.
func (k *alphabets) levelsBelow(folder string, keys []string) (levels [][]string) {
	for d := strings.Count(folder, "/"); d < len(k.folders) && k.folders[d].alike(); d++ {
		names := k.folders[d].names
		for _, key := range keys {
			rest := key[len(folder):]
			for range levels {
				rest = rest[strings.IndexByte(rest, '/')+1:]
			}
			if _, ok := slices.BinarySearch(names, rest[:strings.IndexByte(rest, '/')+1]); !ok {
				return levels
			}
		}
		levels = append(levels, names)
	}
	return levels
}
