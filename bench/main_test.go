package main

import (
	"flag"
	"slices"
	"testing"
)

func TestShownNamesNoFolder(t *testing.T) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.Int("objects", 1, "")
	flags.String("dir", "", "")
	flags.String("tools", "", "")
	flags.String("results", "", "")
	if err := parse(flags, []string{"-objects", "7", "-dir", "/a", "-tools", "/b", "-results", "/c"}); err != nil {
		t.Fatal(err)
	}
	if got, want := shown(flags), []string{"run", "-objects", "7"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
