package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// timed returns an entrant that takes the given seconds, one after another.
func timed(name string, order *[]string, rows int, seconds ...float64) *entrant {
	e := &entrant{name: name, says: "what " + name + " does"}
	e.once = func(context.Context) (execution, error) {
		*order = append(*order, name)
		took := seconds[0]
		seconds = seconds[1:]
		return execution{took: time.Duration(took * float64(time.Second)), stored: 10, rows: rows}, nil
	}
	return e
}

func TestContest(t *testing.T) {
	var order []string
	c := contest{measurement: newMeasurement("contest", ""), rows: 5, rounds: 3}
	c.work = t.TempDir()
	ours, slow := timed("ours", &order, 5, 1, 2, 9), timed("slow", &order, 5, 4, 4, 4)
	theirs := timed("theirs", &order, 5, 3, 12, 10)
	theirs.ours = []*entrant{ours, slow}
	if err := c.measure(t.Context(), ours, slow, theirs); err != nil {
		t.Fatal(err)
	}
	c.compare()
	if want := slices.Repeat([]string{"ours", "slow", "theirs"}, 3); !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if len(c.results.Lines) != 9 || c.results.Lines[2].Name != "theirs/objects=5" || c.results.Lines[2].Time != 3*time.Second {
		t.Errorf("lines %+v", c.results.Lines)
	}
	r := c.results.Ratios
	if len(r) != 2 || r[0].Name != "theirs" || r[0].Value != 5 || r[1].Name != "theirs/over=slow" || r[1].Value != 2.5 {
		t.Fatalf("ratios %+v, want 10 s over 2 s and over 4 s", r)
	}
	if !strings.Contains(r[0].Says, "what theirs does") || !strings.Contains(r[0].Says, "what ours does") {
		t.Errorf("ratio says %q", r[0].Says)
	}
}

func TestContestTakesNothingLess(t *testing.T) {
	c := contest{measurement: newMeasurement("contest", ""), rows: 5, rounds: 1}
	c.work = t.TempDir()
	if err := c.measure(t.Context(), timed("few", new([]string), 4, 1)); err == nil {
		t.Error("no error for 4 of 5 rows")
	}
	want := errors.New("no")
	failing := &entrant{name: "failing", once: func(context.Context) (execution, error) { return execution{}, want }}
	if err := c.measure(t.Context(), failing); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestCopied(t *testing.T) {
	for said, want := range map[string]int{"COPY 20000": 20000, "SET\nSET\nCOPY 7": 7, "": -1, "SET": -1, "COPY many": -1} {
		if n, err := copied(said); (err == nil) != (want >= 0) || err == nil && n != want {
			t.Errorf("%q: %d, %v, want %d", said, n, err, want)
		}
	}
}

func TestOthers(t *testing.T) {
	if all, err := others("minio,versitygw"); err != nil || len(all) != 2 {
		t.Errorf("%v, %v, want two servers", all, err)
	}
	if _, err := others("minio,stocktake"); err == nil {
		t.Error("no error for ours among others")
	}
}
