package report

import (
	"bytes"
	"slices"
)

// A KeyRange is a range of object keys: all that are at least From and, unless
// To is empty, less than To. The zero value is all keys.
type KeyRange struct {
	From, To []byte
}

// PrefixRange returns the range of the keys that start with prefix.
func PrefixRange(prefix []byte) KeyRange {
	to := bytes.TrimRight(prefix, "\xff")
	if len(to) == 0 { // no key is greater than all keys with this prefix
		return KeyRange{From: slices.Clone(prefix)}
	}
	to = slices.Clone(to)
	to[len(to)-1]++
	return KeyRange{From: slices.Clone(prefix), To: to}
}

// ExactRange returns the range that has only key.
func ExactRange(key []byte) KeyRange {
	return KeyRange{From: slices.Clone(key), To: append(slices.Clone(key), 0)}
}

// Contains reports whether key lies in the range.
func (k KeyRange) Contains(key []byte) bool {
	return bytes.Compare(key, k.From) >= 0 && (len(k.To) == 0 || bytes.Compare(key, k.To) < 0)
}

// And returns the range of the keys that lie in both. It may have no key.
func (k KeyRange) And(o KeyRange) KeyRange {
	if bytes.Compare(o.From, k.From) > 0 {
		k.From = o.From
	}
	if len(k.To) == 0 || len(o.To) > 0 && bytes.Compare(o.To, k.To) < 0 {
		k.To = o.To
	}
	return k
}
