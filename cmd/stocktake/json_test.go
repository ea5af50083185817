package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// leaves calls visit for each verb, with its words.
func leaves(node *kong.Node, words string, visit func(node *kong.Node, words string)) {
	for _, child := range node.Children {
		path := strings.TrimSpace(words + " " + child.Name)
		if len(child.Children) == 0 {
			visit(child, path)
		}
		leaves(child, path, visit)
	}
}

// Every verb that says something says it to programs, too. The others run until
// they are stopped, print a document that is made for a program already, or are
// for a person alone.
func TestVerbsHaveJSON(t *testing.T) {
	others := map[string]bool{"serve": true, "demo": true, "completion": true, "man": true, "complete": true, "report browse": true, "migrate": true}
	parser, err := newParser(new(cli), console{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	leaves(parser.Model.Node, "", func(node *kong.Node, words string) {
		has := false
		for _, f := range node.Flags {
			has = has || f.Name == "json"
		}
		if has == others[words] {
			t.Errorf("%s has --json: %v", words, has)
		}
	})
}
