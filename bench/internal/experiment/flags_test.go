package experiment

import (
	"flag"
	"io"
	"slices"
	"testing"
	"time"
)

func TestShownNamesNoFolder(t *testing.T) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.Int("objects", 1, "")
	flags.String("dir", "", "")
	flags.String("tools", "", "")
	flags.String("results", "", "")
	flags.Bool("large", false, "")
	if err := Parse(flags, []string{"-large", "-objects", "7", "-dir", "/a", "-tools", "/b", "-results", "/c"}); err != nil {
		t.Fatal(err)
	}
	if got, want := shown(flags), []string{"run", "-large=true", "-objects", "7"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		args []string
		ok   bool
	}{
		{nil, true},
		{[]string{"-count", "1", "-requests", "1000", "-for", "1ms", "-objects", "1,20,300"}, true},
		{[]string{"-count", "0"}, false},
		{[]string{"-count", "many"}, false},
		{[]string{"-requests", "1001"}, false},
		{[]string{"-requests", "0"}, false},
		{[]string{"-for", "0s"}, false},
		{[]string{"-for", "5"}, false},
		{[]string{"-objects", "1,,2"}, false},
		{[]string{"-objects", "0"}, false},
		{[]string{"more"}, false},
	} {
		flags := flag.NewFlagSet("run", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		Set(flags, "count", "5", "", AtLeast(1))
		Set(flags, "requests", "500", "", Within(1, 1000))
		Set(flags, "for", "3s", "", Positive)
		Set(flags, "objects", "1,2", "", Numbers)
		if err := Parse(flags, tt.args); (err == nil) != tt.ok {
			t.Errorf("%q: error %v", tt.args, err)
		}
	}
}

func TestSettingsAreRead(t *testing.T) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	count := Set(flags, "count", "5", "", AtLeast(1))
	each := Set(flags, "for", "3s", "", Positive)
	sizes := Set(flags, "objects", "1,2", "", Numbers)
	if err := Parse(flags, []string{"-count", "1_000", "-objects", "3,40"}); err != nil {
		t.Fatal(err)
	}
	if *count != 1000 || *each != 3*time.Second || !slices.Equal(*sizes, []int{3, 40}) {
		t.Errorf("%d, %v, %v", *count, *each, *sizes)
	}
	if got, want := shown(flags), []string{"run", "-count", "1_000", "-objects", "3,40"}; !slices.Equal(got, want) {
		t.Errorf("shown as %q, want %q", got, want)
	}
}
