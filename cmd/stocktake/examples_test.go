package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestExamples holds that each command has examples, shows them, and that they
// are run as they stand.
func TestExamples(t *testing.T) {
	script, err := os.ReadFile("testdata/script/examples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	ran := strings.Split(string(script), "\n")
	elsewhere := []string{"serve", "demo", "take", "report browse", "migrate", "key root"} // they need folders, files, addresses, a terminal and a database
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
	parser, err := newParser(new(cli), console{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	leaves(parser.Model.Node, "", func(node *kong.Node, words string) {
		if examples[words] == "" && !node.Hidden {
			t.Errorf("%s has no example", words)
		}
	})
}
