package suite

import (
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/interop/internal/score"
)

func verdicts(results []score.Result) (v []string) {
	for _, r := range results {
		v = append(v, r.Test+" "+r.How+" "+strings.ReplaceAll(strings.TrimSpace(r.Output), "\n", "|"))
	}
	return v
}

func TestGocheck(t *testing.T) {
	const output = `START: a_test.go:42: S.SetUpSuite
PASS: a_test.go:42: S.SetUpSuite	3.0s

START: a_test.go:50: S.TestA
START: a_test.go:44: S.SetUpTest
PASS: a_test.go:44: S.SetUpTest	0.0s

some log: with a colon
PASS: a_test.go:50: S.TestA	0.1s

START: a_test.go:60: S.TestB
a_test.go:61:
    c.Assert(err, IsNil)
... value: "NotImplemented"
FAIL: a_test.go:60: S.TestB

START: a_test.go:70: S.TestC
PANIC: a_test.go:70: S.TestC

SKIP: a_test.go:80: S.TestD (no cloud box)
MISS: b_test.go:10: T.TestE
START: a_test.go:90: S.TestF
it hangs
`
	want := []string{
		"S.TestA pass some log: with a colon|PASS: a_test.go:50: S.TestA\t0.1s",
		"S.TestB fail a_test.go:61:|    c.Assert(err, IsNil)|... value: \"NotImplemented\"|FAIL: a_test.go:60: S.TestB",
		"S.TestC panic PANIC: a_test.go:70: S.TestC",
		"S.TestD skip SKIP: a_test.go:80: S.TestD (no cloud box)",
		"T.TestE miss MISS: b_test.go:10: T.TestE",
		"S.TestF not ended it hangs",
	}
	got := verdicts(Gocheck(output, "V1"))
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "||", "|")
	}
	if !slices.Equal(got, want) {
		t.Errorf("results\n%q, want\n%q", got, want)
	}
}

func TestTesting(t *testing.T) {
	const output = `=== RUN   TestA
--- PASS: TestA (0.00s)
=== RUN   TestB
=== RUN   TestB/one
    b_test.go:3: wrong
=== RUN   TestB/two
--- FAIL: TestB (0.01s)
    --- FAIL: TestB/one (0.00s)
    --- PASS: TestB/two (0.01s)
=== RUN   TestC
--- SKIP: TestC (0.00s)
=== RUN   TestD
panic: boom
`
	want := []string{"TestA pass ", "TestB/one fail b_test.go:3: wrong", "TestB/two pass ", "TestC skip ", "TestD not ended panic: boom"}
	if got := verdicts(Testing(output, "V1")); !slices.Equal(got, want) {
		t.Errorf("results\n%q, want\n%q", got, want)
	}
}
