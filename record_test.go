package stocktake_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
)

func TestETag(t *testing.T) {
	const sum = "5D41402ABC4B2A76B9719D911017C592"
	for _, tt := range []struct {
		in, want string
		parts    uint32
		asSum    bool
	}{
		{sum, sum, 0, true},
		{`"` + sum + `"`, sum, 0, true},
		{sum + "-1", sum + "-1", 1, true},
		{sum + "-4294967295", sum + "-4294967295", 4294967295, true},
		{sum + "-4294967296", sum + "-4294967296", 0, false},
		{sum + "-0", sum + "-0", 0, false},
		{sum + "-01", sum + "-01", 0, false},
		{sum + "-+1", sum + "-+1", 0, false},
		{sum + "-", sum + "-", 0, false},
		{sum + "-1-2", sum + "-1-2", 0, false},
		{strings.ToLower(sum), strings.ToLower(sum), 0, false},
		{sum[1:], sum[1:], 0, false},
		{"", "", 0, false},
		{`"`, `"`, 0, false},
		{`""`, "", 0, false},
	} {
		e := stocktake.ParseETag([]byte(tt.in))
		if e.String() != tt.want || e.Parts != tt.parts || (e.Text == nil) != tt.asSum {
			t.Errorf("ParseETag(%q) is %+v, %q", tt.in, e, e.String())
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[0-9A-F]{32}(-[0-9]{0,12})?`), rapid.StringMatching(`[0-9A-Fa-f"-]{0,40}`), rapid.String(),
		).Draw(t, "tag")
		if got := stocktake.ParseETag([]byte(`"` + s + `"`)); got.String() != s {
			t.Errorf("got %q, want %q", got.String(), s)
		}
	})
	for i := range 32 * 256 { // each byte at each place
		text := []byte(sum)
		text[i/256] = byte(i)
		if e := stocktake.ParseETag(text); e.String() != string(text) || (e.Text == nil) != strings.ContainsRune("0123456789ABCDEF", rune(byte(i))) {
			t.Errorf("ParseETag(%q) is %+v", text, e)
		}
	}
	e := stocktake.ParseETag([]byte(sum + "-17"))
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf = e.AppendText(buf[:0]); e = stocktake.ParseETag(buf) }); n != 0 {
		t.Errorf("AppendText and ParseETag: %v allocations", n)
	}
}
