package terminal

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/terminal/terminaltest"
)

func TestPrintf(t *testing.T) {
	var b bytes.Buffer
	type name string
	Printf(&b, "%s %-4s| %q %v %d %s %v\n", terminaltest.Hostile, "ab", terminaltest.Hostile, errors.New(terminaltest.Hostile), 7, time.Second, name(terminaltest.Hostile))
	Println(&b, terminaltest.Hostile, errors.Join(errors.New("one"), errors.New("two")), 1.5, nil)
	terminaltest.Check(t, "text", b.String())
	for _, want := range []string{`a\x1b[2J`, " ab  | \"a\\x1b", " 7 1s ", "one\n  two 1.5 <nil>\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	b.Reset()
	if err := PrintJSON(&b, map[string]string{"a": terminaltest.Hostile + "\U000e0001"}); err != nil {
		t.Fatal(err)
	}
	terminaltest.Check(t, "JSON", b.String())
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["a"] != terminaltest.Hostile+"\U000e0001" {
		t.Errorf("%q, %v", back["a"], err)
	}
	var text string
	if err := xml.Unmarshal(escapeRunes([]byte("<a>\u009b\u202e\x7f</a>"), EscapeXML), &text); err != nil || text != "\u009b\u202e\x7f" {
		t.Errorf("%q, %v", text, err)
	}
}

// Bytes that control a terminal are escaped, however they are divided into writes.
// Other outputs get them unchanged.
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
