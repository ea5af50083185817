package human_test

import (
	"testing"

	"github.com/stocktake/stocktake/internal/human"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain/é/写真 x":       "plain/é/写真 x",
		"a\u202eb":           `a\u{202e}b`,
		"a\x00\r\n\tb":       `a\u{0}\u{d}\u{a}\u{9}b`,
		"bad \xff\xc3":       `bad \xff\xc3`,
		"\u2066x\u2069":      `\u{2066}x\u{2069}`,
		"replacement \ufffd": "replacement \ufffd",
	} {
		if got := human.Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
}
