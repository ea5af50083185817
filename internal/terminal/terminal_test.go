package terminal

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stocktake/stocktake/internal/human"
)

// hostile is text that clears a screen, hides what follows, writes backwards, and
// pretends to be a line of ours.
const hostile = "a\x1b[2J\u009b8m\u202e\x7f\x07\r\nFORGED all is well\n\tFORGED"

// checkHarmless fails the test if output holds what a terminal obeys, or a line that
// a stranger wrote.
func checkHarmless(t *testing.T, what, output string) {
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

func TestPrintf(t *testing.T) {
	var b bytes.Buffer
	type name string
	Printf(&b, "%s %-4s| %q %v %d %s %v\n", hostile, "ab", hostile, errors.New(hostile), 7, time.Second, name(hostile))
	Println(&b, hostile, errors.Join(errors.New("one"), errors.New("two")), 1.5, nil)
	checkHarmless(t, "text", b.String())
	for _, want := range []string{`a\x1b[2J`, " ab  | \"a\\x1b", " 7 1s ", "one\n  two 1.5 <nil>\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	b.Reset()
	if err := PrintJSON(&b, map[string]string{"a": hostile + "\U000e0001"}); err != nil {
		t.Fatal(err)
	}
	checkHarmless(t, "JSON", b.String())
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["a"] != hostile+"\U000e0001" {
		t.Errorf("%q, %v", back["a"], err)
	}
	var text string
	if err := xml.Unmarshal(escapeRunes([]byte("<a>\u009b\u202e\x7f</a>"), EscapeXML), &text); err != nil || text != "\u009b\u202e\x7f" {
		t.Errorf("%q, %v", text, err)
	}
}

// Bytes that a terminal would obey are escaped, wherever they are cut into
// writes; what is not a terminal gets them as they are.
func TestBytes(t *testing.T) {
	const raw = "a\tb\n\x1b[31m\u009b\u202e\x7f\r\x00\x9b\xff é世\U0001f600 \xe4\xb8"
	const want = "a\tb\n\\u001b[31m\\u009b\\u202e\\u007f\\u000d\\u0000\\x9b\\xff é世\U0001f600 \\xe4\\xb8"
	for step := 1; step <= len(raw); step++ {
		var out bytes.Buffer
		text := &terminalText{w: &out}
		for rest := raw; rest != ""; {
			n := min(step, len(rest))
			if m, err := text.Write([]byte(rest[:n])); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		if err := text.flush(); err != nil || out.String() != want {
			t.Fatalf("by %d: %q, want %q, %v", step, out.String(), want, err)
		}
	}
	var file bytes.Buffer
	out, flush := Bytes(&file)
	if _, err := out.Write([]byte(raw)); err != nil || flush() != nil || file.String() != raw {
		t.Errorf("a file has %q", file.String())
	}
}
