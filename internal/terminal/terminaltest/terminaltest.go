// Package terminaltest checks that output contains nothing that controls a
// terminal.
package terminaltest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/human"
)

// Hostile is text that clears a screen, hides the text after it, reverses the
// direction of text, and imitates a line of this program.
const Hostile = "a\x1b[2J\u009b8m\u202e\x7f\x07\r\nFORGED all is well\n\tFORGED"

// Check fails the test if output contains a terminal control character, or a line
// from Hostile text. what names the output.
func Check(t testing.TB, what, output string) {
	t.Helper()
	for i, r := range output {
		if r != '\n' && human.Unprintable(r) || r == utf8.RuneError {
			t.Errorf("%s: %q at byte %d of %q", what, r, i, output)
			return
		}
	}
	if strings.Contains("\n"+output, "\nFORGED") {
		t.Errorf("%s: a forged line in %q", what, output)
	}
}
