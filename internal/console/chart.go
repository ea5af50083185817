package console

import "time"

// A chart is drawn by assets/console.js. A table next to it has the same numbers.
type chart struct {
	Kind    string      `json:"kind"` // "line", "bar" or "treemap"
	Title   string      `json:"title"`
	Unit    string      `json:"unit"`             // of the values: "bytes", "count" or "milliseconds"
	Labels  []string    `json:"labels,omitempty"` // of the points on the axis
	Series  []series    `json:"series,omitempty"`
	Boxes   []box       `json:"boxes,omitempty"`   // of a treemap
	Signed  bool        `json:"signed,omitempty"`  // values are differences
	Stacked bool        `json:"stacked,omitempty"` // bars are stacked
	Links   []string    `json:"links,omitempty"`   // by label; the target of a click
	Second  *secondAxis `json:"second,omitempty"`
}

// A series is one line, or the bars of one color. The series of a chart have
// distinct colors.
type series struct {
	Name   string  `json:"name"`
	Values []int64 `json:"values"`
	Color  int     `json:"color,omitempty"` // from 1 to colors; 0: the color of the rest, unless Tone is set
	Tone   string  `json:"tone,omitempty"`  // class of a color with a meaning, such as "bad"
	Right  bool    `json:"right,omitempty"` // its values have the unit of the second axis
}

// colors is the number of series colors: --series-1 and so on in
// assets/console.css. Color-blind users can tell them apart.
const colors = 8

// A secondAxis is the axis on the right, for some of the series.
type secondAxis struct {
	Unit string `json:"unit"`
}

// A box is one area of a treemap.
type box struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
	Label string `json:"label"`          // text of its tooltip
	Href  string `json:"href,omitempty"` // target of its link
	Rest  bool   `json:"rest,omitempty"` // it covers everything that is in no other box
}

// newGrowthChart returns a chart of the size and the number of objects over time.
func newGrowthChart() *chart {
	return &chart{
		Kind: "line", Title: "Objects and bytes across reports", Unit: "bytes", Second: &secondAxis{Unit: "count"},
		Series: []series{{Name: "Size", Color: 1}, {Name: "Objects", Color: 2, Right: true}},
	}
}

// addReport adds a report to a growth chart.
func (c *chart) addReport(at time.Time, href string, objects, bytes int64) {
	c.Labels = append(c.Labels, at.UTC().Format("01-02 15:04"))
	c.Links = append(c.Links, href)
	c.Series[0].Values = append(c.Series[0].Values, bytes)
	c.Series[1].Values = append(c.Series[1].Values, objects)
}

// unlessShort returns the chart, or nil if it has fewer than two points to compare.
func (c *chart) unlessShort() *chart {
	if len(c.Labels) < 2 {
		return nil
	}
	return c
}
