package report_test

import (
	"testing"

	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/report"
)

// Names and suffixes identify formats, and a configuration may name each format. The test fails
// with the name of a format that the rules of the API lack.
func TestFormats(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range report.Formats() {
		if seen[f.Name()] || seen[f.Suffix()] {
			t.Errorf("format %s, %s: another has the name or the suffix", f.Name(), f.Suffix())
		}
		seen[f.Name()], seen[f.Suffix()] = true, true
		if got, err := report.FormatNamed(f.Name()); err != nil || got != f {
			t.Errorf("format %s is found as %v, %v", f.Name(), got, err)
		}
		c := configtest.Minimal()
		c.Destination.Format = f.Name()
		if err := c.Validate(configtest.Rules(c.ID)); err != nil {
			t.Errorf("format %s: the rules of configurations refuse it: %v", f.Name(), err)
		}
	}
	for _, name := range []string{"", "csv", "ORC"} {
		if f, err := report.FormatNamed(name); err == nil {
			t.Errorf("format %q is found as %T", name, f)
		}
	}
}
