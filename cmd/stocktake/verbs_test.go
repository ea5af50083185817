package main

import (
	"io"
	"slices"
	"testing"

	"github.com/alecthomas/kong"
)

// The parser of one verb has the commands and flags that the parser of all verbs has
// for it.
func TestOtherVerbs(t *testing.T) {
	commands := func(node *kong.Node) (all []string) {
		leaves(node, "", func(node *kong.Node, words string) {
			for _, f := range node.AllFlags(false) {
				for _, flag := range f {
					words += " " + flag.Summary()
				}
			}
			all = append(all, words)
		})
		return all
	}
	whole, err := newParser(new(cli), console{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range whole.Model.Children {
		others, ok := otherVerbs([]string{verb.Name, "x"})
		if needsAll := slices.Contains([]string{"completion", "man", "complete"}, verb.Name); ok == needsAll {
			t.Errorf("%s: alone %v", verb.Name, ok)
		}
		if !ok {
			continue
		}
		one, err := newParser(new(cli), console{io.Discard, io.Discard}, others)
		if err != nil {
			t.Fatal(err)
		}
		if len(one.Model.Children) != 1 || !slices.Equal(commands(one.Model.Children[0]), commands(verb)) {
			t.Errorf("%s: the parser has %d verbs, and the commands %q", verb.Name, len(one.Model.Children), commands(one.Model.Children[0]))
		}
	}
	for _, args := range [][]string{nil, {"--help"}, {"tkae"}} {
		if _, ok := otherVerbs(args); ok {
			t.Errorf("%q names one verb", args)
		}
	}
}

// A variable of another verb is not an error, and an unknown variable is.
func TestVariablesOfOtherVerbs(t *testing.T) {
	t.Setenv("STOCKTAKE_REGION", "eu-1") // of the server and of connections
	if code := run(t.Context(), []string{"version"}, console{io.Discard, io.Discard}); code != 0 {
		t.Errorf("a variable of another verb: exit code %d", code)
	}
	t.Setenv("STOCKTAKE_REGOIN", "eu-1")
	if code := run(t.Context(), []string{"version"}, console{io.Discard, io.Discard}); code != exitUsage {
		t.Errorf("a variable of no verb: exit code %d", code)
	}
}

// BenchmarkCommand measures what every command costs.
func BenchmarkCommand(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if code := run(b.Context(), []string{"version"}, console{io.Discard, io.Discard}); code != 0 {
			b.Fatal(code)
		}
	}
}
