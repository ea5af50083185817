package ranges

import (
	"slices"
	"strings"
)

// Folders of a bucket that are built alike, such as the hours of each day, are few names
// at some depth, each of them in many folders. There a whole name is a digit of a key: its
// bytes say nothing more.

// maxFolders is how many different names there are at a depth at most, for them to be
// digits.
const maxFolders = 64

// folders are the names that were seen at a depth, each with the slash that ends it.
type folders struct {
	names   []string // ascending
	parents []string // of each, the folder it was first seen in
	again   []bool   // of each, it was seen in another folder too
	many    bool     // there are more than maxFolders
	whole   bool     // all of them were seen, or nearly
}

// see takes note of a folder.
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

// alike reports whether the names are those of most folders there.
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

// learnFolders takes note of the folders of a key.
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

// levelsBelow returns the names of the folders below a folder, level by level, as long as
// they are alike in all folders, and in keys too.
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
