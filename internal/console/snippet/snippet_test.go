package snippet

import (
	"go/parser"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/inventoryxml"
)

func TestWholeConfigurations(t *testing.T) {
	for _, cfg := range configtest.Samples() {
		cfg = cfg.Normalized()
		if parsed, err := inventoryxml.Parse([]byte(XML(&cfg))); err != nil || !reflect.DeepEqual(parsed, cfg) {
			t.Errorf("the document that is shown is another one: %v\n%s", err, XML(&cfg))
		}
		snippet := Go("http://127.0.0.1:9000", "cn-hangzhou", "photos", &cfg)
		if _, err := parser.ParseExpr("func() {\n" + snippet + "\n}"); err != nil {
			t.Errorf("%v\n%s", err, snippet)
		}
	}
}

// TestCommandIsQuoted lets a shell parse the displayed command.
func TestCommandIsQuoted(t *testing.T) {
	for _, word := range []string{"plain", "", "two words", "it's", `a"b$c\d`, "写真/", "*", "a;b", "--x"} {
		out, err := exec.Command("sh", "-c", "printf %s "+Quoted(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q: %q %v", word, out, err)
		}
	}
	if got := Quoted("a\nb'\u202e"); got != `$'a\x0ab\'\xe2\x80\xae'` {
		t.Error(got)
	}
	cfg := configtest.Full()
	cfg.Incremental = nil
	text := Command("photos", &cfg)
	for _, flag := range []string{"--sse-kms 9468da86", "--day-of-month 31", "--min-size 0", "--max-size 54975581388800", "--versions All", "--modified-after 1637883649"} {
		if !strings.Contains(text, flag) {
			t.Errorf("%s is missing in\n%s", flag, text)
		}
	}
}
