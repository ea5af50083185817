// Package score judges what a foreign client's tests found: some must pass, and
// all of them make a table for docs/compatibility.md.
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

// Required reads a list of tests, one a line; # begins a comment line.
func Required(list string) []string {
	var names []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names = append(names, line)
		}
	}
	return names
}

// Judge fails t for each required test that did not pass or did not run, keeps
// the output of all that did not pass among t's artifacts, and logs which tests
// pass though nobody requires it.
func Judge(t *testing.T, required []string, results []Result) {
	t.Helper()
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
		if must {
			t.Errorf("%s (%s): %s\n%s", r.Test, r.Column, r.How, clip(r.Output))
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

// clip keeps the first 4 KiB of a test's output: the first failure tells most.
func clip(s string) string {
	const most = 4 << 10
	if len(s) <= most {
		return s
	}
	return s[:most] + "\n[...]\n"
}

// Table is the Markdown of results: a line a test, in the order of their first
// result, and a column for each of columns. A test passes in a column if all its
// results there do.
func Table(title string, columns []string, results []Result) []byte {
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
	fmt.Fprintf(&b, ".\n\n| test | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, test := range tests {
		fmt.Fprintf(&b, "| %s |", test)
		for _, c := range columns {
			mark := "no"
			if passes[[2]string{test, c}] {
				mark = "pass"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
