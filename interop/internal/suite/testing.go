package suite

import (
	"maps"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/interop/internal/score"
)

// Testing reads the results of tests, and of their subtests, from the output of
// package testing with -test.v. A test with subtests counts only if none of its
// subtests counts. A test's Output is the text printed since its start.
func Testing(output, column string) []score.Result {
	var results []score.Result
	text := map[string]*strings.Builder{}
	current := ""
	for line := range strings.Lines(output) {
		trimmed := strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(trimmed, "=== RUN   "); ok {
			current = name
			text[name] = new(strings.Builder)
			continue
		}
		status, rest, ok := strings.Cut(trimmed, ": ")
		name, _, _ := strings.Cut(rest, " (")
		status, isEnd := strings.CutPrefix(status, "--- ")
		if !ok || !isEnd {
			if b := text[current]; b != nil {
				b.WriteString(line)
			}
			continue
		}
		r := score.Result{Test: name, Column: column, Pass: status == "PASS", How: strings.ToLower(status)}
		if b := text[name]; b != nil {
			r.Output = b.String()
			delete(text, name)
		}
		results = append(results, r)
	}
	for _, name := range slices.Sorted(maps.Keys(text)) { // a panic ends all
		results = append(results, score.Result{Test: name, Column: column, How: "not ended", Output: text[name].String()})
	}
	return leaves(results)
}

// leaves drops the results of tests that have subtests.
func leaves(results []score.Result) []score.Result {
	parents := map[string]bool{}
	for _, r := range results {
		for name := r.Test; ; {
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				break
			}
			name = name[:i]
			parents[name] = true
		}
	}
	var kept []score.Result
	for _, r := range results {
		if !parents[r.Test] {
			kept = append(kept, r)
		}
	}
	return kept
}
