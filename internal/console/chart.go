package console

import "time"

// A chart is drawn by assets/console.js. Its numbers stand in a table beside it.
type chart struct {
	Kind    string      `json:"kind"` // "line", "bar" or "treemap"
	Title   string      `json:"title"`
	Unit    string      `json:"unit"`             // of the values: "bytes", "count" or "milliseconds"
	Labels  []string    `json:"labels,omitempty"` // of the places on the axis
	Series  []series    `json:"series,omitempty"`
	Boxes   []box       `json:"boxes,omitempty"`   // of a treemap
	Signed  bool        `json:"signed,omitempty"`  // values are differences
	Stacked bool        `json:"stacked,omitempty"` // bars stand on each other
	Links   []string    `json:"links,omitempty"`   // by label; where a click leads
	Second  *secondAxis `json:"second,omitempty"`
}

// A series is one line, or the bars of one colour. No two series of a chart share a
// colour.
type series struct {
	Name   string  `json:"name"`
	Values []int64 `json:"values"`
	Color  int     `json:"color,omitempty"` // from 1 to colors; 0: that of the rest, unless there is a tone
	Tone   string  `json:"tone,omitempty"`  // the class of a colour that means something, such as "bad"
	Right  bool    `json:"right,omitempty"` // its values have the unit of the second axis
}

// colors is how many colours series have: --series-1 and so on in assets/console.css.
// People who see few colours can tell them apart, too.
const colors = 8

// A secondAxis has the values of series on the right.
type secondAxis struct {
	Unit string `json:"unit"`
}

// A box is a part of a treemap.
type box struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
	Label string `json:"label"`          // what its tooltip says
	Href  string `json:"href,omitempty"` // where it leads
	Rest  bool   `json:"rest,omitempty"` // it is what no other box has
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

// unlessShort returns the chart; nil if it has not even two places to compare.
func (c *chart) unlessShort() *chart {
	if len(c.Labels) < 2 {
		return nil
	}
	return c
}
