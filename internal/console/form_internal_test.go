package console

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
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
		keepUnshown(&cfg, &got)
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
