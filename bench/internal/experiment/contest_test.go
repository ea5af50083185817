package experiment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// timed returns an entrant that takes the given seconds, one after another.
func timed(name string, order *[]string, rows int, seconds ...float64) *Entrant {
	e := &Entrant{Name: name, Says: "what " + name + " does"}
	e.Once = func(context.Context) (Execution, error) {
		*order = append(*order, name)
		took := seconds[0]
		seconds = seconds[1:]
		return Execution{Took: time.Duration(took * float64(time.Second)), Stored: 10, Rows: rows}, nil
	}
	return e
}

func TestContest(t *testing.T) {
	var order []string
	c := Contest{Experiment: New("contest", ""), Rows: 5, Rounds: 3}
	c.Work = t.TempDir()
	ours, slow := timed("ours", &order, 5, 1, 2, 9), timed("slow", &order, 5, 4, 4, 4)
	theirs := timed("theirs", &order, 5, 3, 12, 10)
	theirs.Ours = []*Entrant{ours, slow}
	if err := c.Measure(t.Context(), ours, slow, theirs); err != nil {
		t.Fatal(err)
	}
	c.Compare()
	if want := slices.Repeat([]string{"ours", "slow", "theirs"}, 3); !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if len(c.Results.Lines) != 9 || c.Results.Lines[2].Name != "theirs/objects=5" || c.Results.Lines[2].Time != 3*time.Second {
		t.Errorf("lines %+v", c.Results.Lines)
	}
	r := c.Results.Ratios
	if len(r) != 2 || r[0].Name != "theirs" || r[0].Value != 5 || r[1].Name != "theirs/over=slow" || r[1].Value != 2.5 {
		t.Fatalf("ratios %+v, want 10 s over 2 s and over 4 s", r)
	}
	if !strings.Contains(r[0].Says, "what theirs does") || !strings.Contains(r[0].Says, "what ours does") {
		t.Errorf("ratio says %q", r[0].Says)
	}
}

func TestContestTakesNothingLess(t *testing.T) {
	c := Contest{Experiment: New("contest", ""), Rows: 5, Rounds: 1}
	c.Work = t.TempDir()
	if err := c.Measure(t.Context(), timed("few", new([]string), 4, 1)); err == nil {
		t.Error("no error for 4 of 5 rows")
	}
	want := errors.New("no")
	failing := &Entrant{Name: "failing", Once: func(context.Context) (Execution, error) { return Execution{}, want }}
	if err := c.Measure(t.Context(), failing); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
