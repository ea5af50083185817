package service

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

// goals compare the results of a benchmark with the intended values.
type goals []goal

type goal struct {
	what  string
	value float64
	below float64 // the goal: value is less than this; 0: there is none
	unit  string
	says  string
}

// under adds a figure that should be below a bound, which is above 0.
func (g *goals) under(what string, value, below float64, unit, says string) {
	*g = append(*g, goal{what, value, below, unit, says})
}

// state adds a figure without a goal.
func (g *goals) state(what string, value float64, unit, says string) {
	*g = append(*g, goal{what: what, value: value, unit: unit, says: says})
}

func (g goal) met() bool { return g.value < g.below }

// verdict returns the goal and whether it is met, in words.
func (g goal) verdict() string {
	switch {
	case g.below == 0:
		return "stated"
	case g.met():
		return "below " + figure(g.below, g.unit) + ": met"
	}
	return "below " + figure(g.below, g.unit) + ": MISSED"
}

func figure(v float64, unit string) string {
	s := fmt.Sprintf("%.3g", v)
	if v >= 1000 {
		s = fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSpace(s + " " + unit)
}

// ratios returns the figures that have a goal, over it: less than 1 meets it.
func (g goals) ratios() (all []measure.Ratio) {
	for _, g := range g {
		if g.below > 0 {
			all = append(all, measure.Ratio{
				Name: strings.NewReplacer(", ", "-", " ", "-").Replace(g.what), Value: g.value / g.below,
				Says: fmt.Sprintf("%s; goal %s (%s)", figure(g.value, g.unit), g.verdict(), g.says),
			})
		}
	}
	return all
}

// table returns all of them for people.
func (g goals) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tmeasured\tgoal\t")
	for _, g := range g {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", g.what, figure(g.value, g.unit), g.verdict(), g.says)
	}
	_ = w.Flush() // a strings.Builder does not fail
	return b.String()
}
