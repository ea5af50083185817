package score_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/interop/internal/score"
)

func TestParseList(t *testing.T) {
	got := score.ParseList("# why\nTestA\n\n  TestB  \n# TestC\nTestD | live channels are not offered\n")
	if want := []string{"TestA", "TestB"}; !slices.Equal(got.Required, want) {
		t.Errorf("%q, want %q", got.Required, want)
	}
	if want := map[string]string{"TestD": "live channels are not offered"}; !maps.Equal(got.Reasons, want) {
		t.Errorf("%q, want %q", got.Reasons, want)
	}
}

func TestTable(t *testing.T) {
	results := []score.Result{
		{Test: "B", Column: "V1", Pass: true},
		{Test: "B", Column: "V4", Pass: true},
		{Test: "B", Column: "V4", Pass: false},
		{Test: "A", Column: "V1", Pass: false},
		{Test: "A", Column: "V1", Pass: true},
		{Test: "A", Column: "V4", Pass: true},
	}
	const want = `x: 1 of 2 pass with V1, 1 of 2 pass with V4.

| test | V1 | V4 | why not |
|---|---|---|---|
| B | pass | no | because |
| A | no | pass |  |
`
	if got := string(score.Table("x", []string{"V1", "V4"}, results, map[string]string{"B": "because"})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTAP(t *testing.T) {
	const output = `TAP version 13
# Subtest: a, b \# c
ok 1 - a, b \# c
  ---
  duration_ms: 0.84571
  ...
# Subtest: bad
not ok 2 - bad
  ---
  error: 'why'
  ...
# Subtest: left out
ok 3 - left out # SKIP for a reason
1..3
# pass 1
`
	got := score.TAP(output)
	want := []score.Result{{Test: "a, b # c", Pass: true}, {Test: "bad"}, {Test: "left out"}}
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i].Test != want[i].Test || got[i].Pass != want[i].Pass {
			t.Errorf("result %d: %q, %v; want %q, %v", i, got[i].Test, got[i].Pass, want[i].Test, want[i].Pass)
		}
	}
	if !strings.Contains(got[1].Output, "why") {
		t.Errorf("output of the failed test: %q", got[1].Output)
	}
}
