package suite

import (
	"strings"

	"github.com/stocktake/stocktake/interop/internal/score"
)

// Gocheck reads the results of tests from the output of gopkg.in/check.v1 with
// -check.vv. A test's Output is what it printed between its start and its end.
//
// Lines are "START: file:line: Suite.Test" and "PASS: file:line: Suite.Test\t0.1s",
// with FAIL, SKIP, PANIC and MISS in place of PASS. A test that began and did not
// end has failed. Fixtures, such as Suite.SetUpSuite, are not tests; one that fails
// fails the tests that it keeps from running, which are missed.
func Gocheck(output, column string) []score.Result {
	var results []score.Result
	running := map[string]*strings.Builder{}
	var names []string // of running tests, in the order of their start
	for line := range strings.Lines(output) {
		status, rest, ok := strings.Cut(line, ": ")
		name := ""
		if ok {
			name = testName(rest)
		}
		switch {
		case name == "" || !isStatus(status):
			for _, n := range names {
				running[n].WriteString(line)
			}
		case status == "START":
			running[name] = new(strings.Builder)
			names = append(names, name)
		default:
			text := line
			if b := running[name]; b != nil {
				text = b.String() + line
				delete(running, name)
				names = deleteName(names, name)
			}
			if isTest(name) {
				results = append(results, score.Result{
					Test: name, Column: column, Pass: status == "PASS",
					How: strings.ToLower(status), Output: text,
				})
			}
		}
	}
	for _, name := range names {
		if isTest(name) {
			results = append(results, score.Result{Test: name, Column: column, How: "not ended", Output: running[name].String()})
		}
	}
	return results
}

func isStatus(s string) bool {
	switch s {
	case "START", "PASS", "FAIL", "SKIP", "PANIC", "MISS":
		return true
	}
	return false
}

// testName returns the name in "file:line: Suite.Test\t0.1s" or "file:line:
// Suite.Test (reason)"; empty if the line is none of these.
func testName(rest string) string {
	_, name, ok := strings.Cut(rest, ": ")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(strings.TrimSpace(name), "\t")
	name, _, _ = strings.Cut(name, " ")
	if strings.Count(name, ".") != 1 {
		return ""
	}
	return name
}

func isTest(name string) bool {
	_, method, _ := strings.Cut(name, ".")
	return strings.HasPrefix(method, "Test")
}

func deleteName(names []string, name string) []string {
	var kept []string
	for _, n := range names {
		if n != name {
			kept = append(kept, n)
		}
	}
	return kept
}
