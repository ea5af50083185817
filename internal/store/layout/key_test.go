package layout

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"testing"
)

func FuzzKeyOrder(f *testing.F) {
	f.Add("a", uint64(1), "a\x00", uint64(2))
	f.Add("a", uint64(1), "a", uint64(2))
	f.Add("a\x00\x01", uint64(1), "a\x00\xff", uint64(2))
	f.Add("", uint64(math.MaxUint64), "\x00", uint64(0))
	f.Fuzz(func(t *testing.T, k1 string, seq1 uint64, k2 string, seq2 uint64) {
		a, b := AppendVersionKey(nil, 7, k1, seq1), AppendVersionKey(nil, 7, k2, seq2)
		want := cmp.Or(strings.Compare(k1, k2), cmp.Compare(seq2, seq1))
		if got := bytes.Compare(a, b); got != want {
			t.Errorf("(%q,%d) against (%q,%d): %d, want %d", k1, seq1, k2, seq2, got, want)
		}
		if got := string(Unescape(bytes.Clone(EscapedKey(a)))); got != k1 {
			t.Errorf("%q comes back as %q", k1, got)
		}
		if VersionSeq(a) != seq1 || !isVersionKey(a) {
			t.Errorf("%x: seq %d", a, VersionSeq(a))
		}
		// What Pebble asks of a comparer with prefixes.
		pa, pb := a[:split(a)], b[:split(b)]
		if split(pa) != len(pa) {
			t.Errorf("the prefix of %x has the prefix %x", a, pa[:split(pa)])
		}
		if c := bytes.Compare(pa, pb); c != strings.Compare(k1, k2) {
			t.Errorf("prefixes of %q and %q compare as %d", k1, k2, c)
		}
		if next := comparer.ImmediateSuccessor(nil, pa); bytes.Compare(pa, next) >= 0 || split(next) != len(next) || bytes.Compare(a, next) >= 0 {
			t.Errorf("after %x comes %x", pa, next)
		}
		// The bounds that listings and scans work with.
		head := AppendEscaped(AppendBucketHead(nil, SpaceVersions, 7), k1)
		within := bytes.Compare(b, head) >= 0 && bytes.Compare(b, After(head)) < 0
		if within != strings.HasPrefix(k2, k1) {
			t.Errorf("%q within prefix %q: %v", k2, k1, within)
		}
		if past := bytes.Compare(b, AppendAfterKey(nil, 7, k1)) >= 0; past != (k2 > k1) {
			t.Errorf("%q past %q: %v", k2, k1, past)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte{'O', 0, 0, 0, 1, 'a', 0, 1})
	f.Add([]byte{'O', 0, 0, 0, 1, 'a', 0})
	f.Add([]byte("U1234abc"))
	f.Fuzz(func(t *testing.T, k []byte) {
		n := split(k)
		if n > len(k) || split(k[:n]) != n {
			t.Errorf("%x is split at %d", k, n)
		}
	})
}

func FuzzVersionID(f *testing.F) {
	f.Add(uint64(0), "CAEQAAAAAAAAAAAAAAAA")
	f.Add(uint64(math.MaxUint64), "")
	f.Fuzz(func(t *testing.T, seq uint64, text string) {
		id := VersionID(seq)
		if got, ok := ParseVersionID(id); got != seq || !ok || len(id) != versionIDLen || !strings.HasPrefix(id, "CAEQ") {
			t.Errorf("%d is %q, which is %d %v", seq, id, got, ok)
		}
		if got, ok := ParseVersionID(text); ok && VersionID(got) != text {
			t.Errorf("%q is taken for %q", text, VersionID(got))
		}
		up := uploadID(seq)
		if got, ok := ParseUploadID(uploadText(up[:])); got != seq || !ok {
			t.Errorf("upload %d is %x, which is %d %v", seq, up, got, ok)
		}
		if got, ok := ParseUploadID(text); ok {
			if up := uploadID(got); uploadText(up[:]) != text {
				t.Errorf("%q is taken for %x", text, up)
			}
		}
	})
}
