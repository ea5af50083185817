package score

import "strings"

// TAP reads the results of the outermost tests from the output of a test runner
// in the Test Anything Protocol, as node --test-reporter=tap prints it. A test's
// Output is what follows its line, up to the next test.
func TAP(output string) []Result {
	var results []Result
	for line := range strings.Lines(output) {
		rest, pass := strings.CutPrefix(line, "ok ")
		if !pass {
			var failed bool
			if rest, failed = strings.CutPrefix(line, "not ok "); !failed {
				if n := len(results); n > 0 && !strings.HasPrefix(line, "# Subtest: ") {
					results[n-1].Output += line
				}
				continue
			}
		}
		_, name, ok := strings.Cut(strings.TrimSpace(rest), " - ")
		if !ok {
			continue
		}
		name, skipped := cutDirective(name)
		results = append(results, Result{Test: strings.ReplaceAll(name, `\#`, "#"), Pass: pass && !skipped})
	}
	return results
}

// cutDirective takes "# SKIP" or "# TODO" off the end of a test's name: such a
// test has not passed.
func cutDirective(name string) (rest string, found bool) {
	for _, d := range []string{" # SKIP", " # TODO"} {
		if rest, _, found = strings.Cut(name, d); found {
			return rest, true
		}
	}
	return name, false
}
