package foreign

import (
	"path"
	"testing"

	"pgregory.net/rapid"
)

var globs = rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 0, 6, -1)

// A pattern without a slash matches what path.Match says.
func TestPatternMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, name := globs.Draw(t, "pattern"), rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 0, 8, -1).Draw(t, "name")
		want, err := path.Match(p, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := pattern(p).match(name); got != want {
			t.Errorf("%q matches %q: %v", p, name, got)
		}
	})
}

// Two patterns overlap if and only if there is a name that both match.
func TestPatternOverlaps(t *testing.T) {
	var names []string
	for last := []string{""}; len(last[0]) <= 7; {
		names = append(names, last...)
		var next []string
		for _, n := range last {
			next = append(next, n+"a", n+"b", n+"x")
		}
		last = next
	}
	short := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 0, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		p, q := pattern(short.Draw(t, "p")), pattern(short.Draw(t, "q"))
		example, got := p.overlaps(q)
		if got && (!p.match(example) || !q.match(example)) {
			t.Fatalf("%q and %q: the example %q does not fit both", p, q, example)
		}
		for _, n := range names {
			if p.match(n) && q.match(n) && !got {
				t.Fatalf("%q and %q both fit %q", p, q, n)
			}
		}
	})
}
