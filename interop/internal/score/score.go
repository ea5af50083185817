// Package score evaluates the results of a foreign client's tests: some must pass,
// and all of them form a table for docs/compatibility.md.
package score

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A Result is one execution of one test.
type Result struct {
	Test   string
	Column string // of the table, such as the signature version
	Pass   bool
	How    string // how it ended if it did not pass, such as "timeout after 60.0 s"
	Output string
}

// A List says which tests of a client must pass, and why the others do not.
type List struct {
	Required []string
	Reasons  map[string]string
}

// ParseList reads a list: "Test" requires a test, "Test | reason" says why one does
// not pass; # begins a comment line.
func ParseList(text string) List {
	l := List{Reasons: map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, reason, ok := strings.Cut(line, " | "); ok {
			l.Reasons[name] = reason
		} else {
			l.Required = append(l.Required, line)
		}
	}
	return l
}

// Judge fails t for each required test that did not pass or did not run, and for
// each other test that did not pass without a reason in the list. It keeps the
// output of all that did not pass among t's artifacts, and logs which tests pass
// that the list does not require.
func Judge(t *testing.T, list List, results []Result) {
	t.Helper()
	required := list.Required
	missing := slices.Clone(required)
	surplus := map[string]bool{}
	var passed int
	for i, r := range results {
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == r.Test })
		must := slices.Contains(required, r.Test)
		if r.Pass {
			passed++
			if _, failed := surplus[r.Test]; !must && !failed {
				surplus[r.Test] = true
			}
			continue
		}
		surplus[r.Test] = false
		name := strings.Map(plain, fmt.Sprintf("%s-%s-%d.txt", r.Test, r.Column, i))
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), []byte(r.Output), 0o644); err != nil {
			t.Error(err)
		}
		switch {
		case must:
			t.Errorf("%s (%s): %s\n%s", r.Test, r.Column, r.How, clip(r.Output))
		case list.Reasons[r.Test] == "":
			t.Errorf("%s (%s) does not pass, and the list has no reason: %s\n%s", r.Test, r.Column, r.How, clip(r.Output))
		}
	}
	if len(missing) > 0 {
		t.Errorf("required, but not run: %s", strings.Join(missing, ", "))
	}
	t.Logf("%d of %d pass", passed, len(results))
	var names []string
	for name, all := range surplus {
		if all {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		t.Logf("pass, but are not required:\n%s", strings.Join(names, "\n"))
	}
}

// plain makes a rune fit for a file name.
func plain(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
		return r
	}
	return '_'
}

// clip keeps the first 4 KiB of a test's output, because the first failure is the
// most informative.
func clip(s string) string {
	const most = 4 << 10
	if len(s) <= most {
		return s
	}
	return s[:most] + "\n[...]\n"
}

// Table returns the Markdown of results: a line for each test, in the order of
// their first results, a column for each of columns, and the reason why a test
// does not pass. A test passes in a column if all its results there do.
func Table(title string, columns []string, results []Result, reasons map[string]string) []byte {
	passes := map[[2]string]bool{}
	var tests []string
	for _, r := range results {
		if !slices.Contains(tests, r.Test) {
			tests = append(tests, r.Test)
		}
		at := [2]string{r.Test, r.Column}
		before, seen := passes[at]
		passes[at] = r.Pass && (before || !seen)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: ", title)
	for i, c := range columns {
		n := 0
		for _, test := range tests {
			if passes[[2]string{test, c}] {
				n++
			}
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d of %d pass with %s", n, len(tests), c)
	}
	fmt.Fprintf(&b, ".\n\n| test | %s | why not |\n|---|%s---|\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, test := range tests {
		fmt.Fprintf(&b, "| %s |", test)
		why := ""
		for _, c := range columns {
			mark := "no"
			if passes[[2]string{test, c}] {
				mark = "pass"
			} else {
				why = reasons[test]
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		fmt.Fprintf(&b, " %s |\n", why)
	}
	return b.Bytes()
}
