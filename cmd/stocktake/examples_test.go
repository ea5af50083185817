package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestExamples holds that each command has examples, shows them, and that they
// are run as they stand.
func TestExamples(t *testing.T) {
	script, err := os.ReadFile("testdata/script/examples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	ran := strings.Split(string(script), "\n")
	elsewhere := []string{"serve", "demo"} // they need folders, files and addresses that no test has
	for path := range examples {
		var out strings.Builder
		if code := run(t.Context(), append(strings.Fields(path), "--help"), console{&out, &out}); code != 0 {
			t.Errorf("%s --help ends with %d", path, code)
			continue
		}
		for _, line := range exampleLines(path) {
			if !strings.Contains(out.String(), "\n    "+line+"\n") {
				t.Errorf("the help of %s does not show %q", path, line)
			}
			done := func(s string) bool {
				return s == "exec "+line || s == "exits 1 "+line || strings.HasPrefix(s, "exec "+line+" &")
			}
			if !slices.Contains(elsewhere, path) && !slices.ContainsFunc(ran, done) {
				t.Errorf("%s: no script runs %q", path, line)
			}
		}
	}
	var out strings.Builder
	run(t.Context(), []string{"--help"}, console{&out, &out})
	_, commands, _ := strings.Cut(out.String(), "Commands:\n")
	for line := range strings.Lines(commands) {
		words, _, _ := strings.Cut(strings.TrimLeft(line, " "), "  ")
		if indent := len(line) - len(strings.TrimLeft(line, " ")); indent == 2 && examples[words] == "" {
			t.Errorf("%s has no example", words)
		}
	}
}
