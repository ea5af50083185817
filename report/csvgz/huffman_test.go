package csvgz

import (
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/csvrow"
)

// Every code is complete and within its limits. It gives a more frequent symbol no longer
// code than a rarer one, and costs no more than a code of fixed length.
func TestFit(t *testing.T) {
	limits := []limit{{csvrow.UpperHex, 7}, {csvrow.Decimal, 5}, {`-%"`, 8}}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{numLiterals, numDistances}).Draw(t, "symbols")
		counts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) uint32 {
			return rapid.Uint32().Draw(t, "count") >> rapid.IntRange(0, 32).Draw(t, "shift")
		}), n, n).Draw(t, "counts")
		lens := make([]uint8, n)
		var l []limit
		if n == numLiterals {
			l = limits
		}
		fit(lens, counts, l)
		checkCode(t, lens, maxCode)
		for _, l := range l {
			for _, s := range l.literals {
				if lens[s] > l.bits {
					t.Errorf("%q has %d bits, want at most %d", s, lens[s], l.bits)
				}
			}
		}
	})
}

func TestCodeLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.Uint32Range(0, 1000), 19, 19).Draw(t, "counts")
		counts[3], counts[5] = 1, 1
		lens := make([]uint8, len(counts))
		codeLengths(lens, counts, 7)
		checkCode(t, lens, 7)
		for a := range counts {
			if (lens[a] > 0) != (counts[a] > 0) {
				t.Errorf("symbol %d is counted %d times and has %d bits", a, counts[a], lens[a])
			}
			for b := range counts {
				if counts[a] > counts[b] && counts[b] > 0 && lens[a] > lens[b] {
					t.Errorf("symbol %d, counted %d times, has %d bits; symbol %d, %d times, has %d",
						a, counts[a], lens[a], b, counts[b], lens[b])
				}
			}
		}
	})
}

func TestOneSymbol(t *testing.T) {
	lens := make([]uint8, 19)
	counts := make([]uint32, 19)
	counts[16] = 9
	codeLengths(lens, counts, 7)
	if lens[16] != 1 {
		t.Errorf("the only symbol has %d bits, want 1", lens[16])
	}
}

// checkCode checks that lens are those of a complete code, and that canonical
// makes it: no code is a prefix of another.
func checkCode(t *rapid.T, lens []uint8, most uint8) {
	t.Helper()
	space := 0
	for s, l := range lens {
		if l > most {
			t.Fatalf("symbol %d has %d bits, want at most %d", s, l, most)
		}
		if l > 0 {
			space += 1 << (maxCode - l)
		}
	}
	if space != 1<<maxCode {
		t.Fatalf("the codes take %d of %d", space, 1<<maxCode)
	}
	codes := make([]uint32, len(lens))
	canonical(codes, lens)
	taken := make([]bool, 1<<maxCode)
	for s, c := range codes {
		l := c & codeLen
		if l != uint32(lens[s]) {
			t.Fatalf("symbol %d has %d bits, want %d", s, l, lens[s])
		}
		if l == 0 {
			continue
		}
		first := bits.Reverse32(c>>codeBits) >> (32 - maxCode)
		for i := range uint32(1) << (maxCode - l) {
			if taken[first+i] {
				t.Fatalf("the code of symbol %d begins or is that of another", s)
			}
			taken[first+i] = true
		}
	}
}

// The tables of RFC 1951, section 3.2.5.
func TestSymbols(t *testing.T) {
	length := [...]int{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	for n := minMatch; n <= maxMatch; n++ {
		s, extra, val := lengthSymbol(n)
		if base := length[s-257]; base+int(val) != n || val >= 1<<extra {
			t.Errorf("length %d is symbol %d with %d of %d bits", n, s, val, extra)
		}
		if n != maxMatch && n >= 11 && int(extra) != (s-261)/4 {
			t.Errorf("length symbol %d has %d extra bits", s, extra)
		}
	}
	distance := [...]int{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
		1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
	}
	for d := 1; d <= maxWindow; d++ {
		s, extra, val := distanceSymbol(d)
		if distance[s]+int(val) != d || val >= 1<<extra || s >= 4 && int(extra) != s/2-1 {
			t.Errorf("distance %d is symbol %d with %d of %d bits", d, s, val, extra)
		}
	}
}
