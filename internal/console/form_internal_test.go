package console

import (
	"go/parser"
	"net/url"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/inventoryxml"
)

// TestFormKeepsConfigurations holds that a configuration that is loaded into the
// form and sent back is unchanged, for one with a value in every field.
func TestFormKeepsConfigurations(t *testing.T) {
	for _, cfg := range configtest.Samples() {
		cfg = cfg.Normalized()
		values := url.Values{}
		for element, all := range formValues(&cfg) {
			for _, v := range all {
				// A browser drops line breaks from single-line fields.
				values.Add(element, strings.NewReplacer("\r", "", "\n", "").Replace(v))
			}
		}
		got, wrong := parseForm(values)
		if len(wrong) > 0 {
			t.Errorf("%s: %v", cfg.ID, wrong)
		}
		keepUnseen(&cfg, &got)
		if got = got.Normalized(); !reflect.DeepEqual(got, cfg) {
			t.Errorf("%+v\n%+v", got, cfg)
		}
		for element := range values {
			found := false
			for _, f := range formFields {
				found = found || f.Element == element
			}
			if !found {
				t.Errorf("the form has no field for %s", element)
			}
		}
		if parsed, err := inventoryxml.Parse([]byte(document(&cfg))); err != nil || !reflect.DeepEqual(parsed, cfg) {
			t.Errorf("the document that is shown is another one: %v\n%s", err, document(&cfg))
		}
		snippet := code("http://127.0.0.1:9000", "cn-hangzhou", "photos", &cfg)
		if _, err := parser.ParseExpr("func() {\n" + snippet + "\n}"); err != nil {
			t.Errorf("%v\n%s", err, snippet)
		}
	}
}

// TestCommandIsQuoted lets a shell parse the displayed command.
func TestCommandIsQuoted(t *testing.T) {
	for _, word := range []string{"plain", "", "two words", "it's", `a"b$c\d`, "写真/", "*", "a;b", "--x"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoted(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q: %q %v", word, out, err)
		}
	}
	if got := quoted("a\nb'\u202e"); got != `$'a\x0ab\'\xe2\x80\xae'` {
		t.Error(got)
	}
	cfg := configtest.Full()
	cfg.Incremental = nil
	text := command("photos", &cfg)
	for _, flag := range []string{"--sse-kms 9468da86", "--day-of-month 31", "--min-size 0", "--max-size 54975581388800", "--versions All", "--modified-after 1637883649"} {
		if !strings.Contains(text, flag) {
			t.Errorf("%s is missing in\n%s", flag, text)
		}
	}
}

func TestFormErrors(t *testing.T) {
	for element, bad := range map[string]string{
		"Schedule/DayOfMonth": "32", "Filter/LowerSizeBound": "much", "Filter/UpperSizeBound": "0", "Filter/LastModifyBeginTimeStamp": "yesterday",
		"Filter/StorageClass": "Gold", "OptionalFields/Field": "Colour", destinationElement + "Prefix": "inv/", destinationElement + "Encryption": "ROT13",
	} {
		_, wrong := parseForm(url.Values{"Schedule/Frequency": {"Monthly"}, element: {bad}})
		if wrong[element] == "" {
			t.Errorf("%s=%s is accepted", element, bad)
		}
	}
	for text, n := range map[string]int64{"0": 0, "1024": 1024, "1 KiB": 1024, "1.5MiB": 1572864, "2 gb": 2e9, "50 TiB": stocktake.MaxObjectSize, "54975581388800": stocktake.MaxObjectSize, "7b": 7} {
		if got, err := parseSize(text); err != nil || got != n {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "1e400", "NaN", "inf", "51 TiB", "1 XB", "0x10"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
