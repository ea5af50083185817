package listpage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
)

// The parsers of usual texts return the same as those of the whole text, and accept
// nothing else.
func TestUsualTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(time.UnixMilli(rapid.Int64Range(-62167219200000, 253402300799999).Draw(t, "milli")).UTC().Format("2006-01-02T15:04:05.000Z"))
		if rapid.Bool().Draw(t, "damage") {
			text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		want, ok := parseTime(text)
		got, usually := usualTime(append(text, '<'))
		if usually != ok || ok && got != want {
			t.Errorf("%q: %d, %v, want %d, %v", text, got, usually, want, ok)
		}
		if _, ok := usualTime(text[:len(text)-1]); ok {
			t.Error("a part of a time is taken for one")
		}
	})
}

func TestUsualETag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.SampledFrom([]string{"0123456789", "0123456789abcdef", "0123456789ABCDEF", "0123456789abcdefABCDEF"}).Draw(t, "digits")
		sum := []byte(rapid.StringOfN(rapid.SampledFrom([]rune(digits)), 32, 32, 32).Draw(t, "sum"))
		odd := rapid.Bool().Draw(t, "damage")
		if odd {
			c := rapid.Byte().Draw(t, "byte")
			sum[rapid.IntRange(0, 31).Draw(t, "at")] = c
			odd = !strings.ContainsRune("0123456789abcdefABCDEF", rune(c))
		}
		q := rapid.SampledFrom([]string{`"`, "&quot;", "&#34;"}).Draw(t, "quote")
		text := fmt.Appendf(nil, "%s%s%s</ETag><Size>1</Size>", q, sum, q)
		var got stocktake.ETag
		n := usualETag(text, &got)
		if odd {
			if n != 0 {
				t.Errorf("%q is taken for a sum", text)
			}
			return
		}
		want := stocktake.ParseETag(sum)
		if n != 32+2*len(q) || got.String() != want.String() || (got.Text == nil) != (want.Text == nil) {
			t.Errorf("%q: %d bytes, %v, want %v", text, n, got, want)
		}
	})
	var e stocktake.ETag
	for _, text := range []string{"", "\"", "<", strings.Repeat("0", 60), "&quot;" + strings.Repeat("0", 32) + "&#34;..........", "\"" + strings.Repeat("0", 33) + "\".............."} {
		if n := usualETag([]byte(text), &e); n != 0 {
			t.Errorf("%q is taken for a sum of %d bytes", text, n)
		}
	}
}

func TestLeadingSize(t *testing.T) {
	for text, want := range map[string]struct {
		size int64
		n    int
	}{
		"": {}, "<": {}, "-1": {}, "7": {7, 1}, "012<": {12, 3},
		"999999999999999999": {999999999999999999, 18}, "1234567890123456789<": {123456789012345678, 18},
	} {
		if size, n := leadingSize([]byte(text)); size != want.size || n != want.n {
			t.Errorf("%q: %d of %d digits, want %v", text, size, n, want)
		}
	}
}
