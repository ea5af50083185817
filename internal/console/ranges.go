package console

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report/rollup"
)

// addRange adds the count of a class in a range to the row of that range. The rows
// ascend.
func addRange(rows []rangeRow, from int64, name, class string, n rollup.Count, value int64) []rangeRow {
	i, found := slices.BinarySearchFunc(rows, from, func(r rangeRow, from int64) int { return int(max(min(r.From-from, 1), -1)) })
	if !found {
		rows = slices.Insert(rows, i, rangeRow{From: from, Name: name, classes: map[string]int64{}})
	}
	rows[i].Objects += n.Objects
	rows[i].Bytes += n.Bytes
	rows[i].classes[class] += value
	return rows
}

// rangeChart shows ranges as bars in which the classes are stacked. If there are
// more classes than colors, the smallest ones are combined.
func rangeChart(title, unit string, rows []rangeRow, classes []classRow) *chart {
	c := &chart{Kind: "bar", Title: title, Unit: unit, Stacked: true}
	for _, r := range rows {
		c.Labels = append(c.Labels, r.Name)
	}
	rest := len(classes) - colors
	var small []classRow
	if rest > 0 {
		small = slices.SortedStableFunc(slices.Values(classes), func(a, b classRow) int {
			return cmp.Or(cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Objects, b.Objects))
		})[:rest]
	}
	others := series{Name: many(rest, "other class"), Values: make([]int64, len(rows))}
	if rest > 1 {
		others.Name = fmt.Sprintf("%s other classes", count(rest))
	}
	for _, class := range classes {
		s := &others
		if !slices.Contains(small, class) {
			c.Series = append(c.Series, series{Name: human.Visible(class.Class), Color: len(c.Series) + 1, Values: make([]int64, len(rows))})
			s = &c.Series[len(c.Series)-1]
		}
		for i, r := range rows {
			s.Values[i] += r.classes[class.Class]
		}
	}
	if rest > 0 {
		c.Series = append(c.Series, others)
	}
	return c
}

// ageName describes the ages that begin at a number of days.
func ageName(from int64) string {
	switch from {
	case rollup.AgeUnknown:
		return "unknown"
	case rollup.AgeFuture:
		return "in the future"
	case 0:
		return "under a day"
	case 1:
		return "1 day"
	}
	return fmt.Sprintf("%s–%s days", count(from), count(2*from-1))
}

// sizeName describes the sizes that begin at a number of bytes.
func sizeName(from int64) string {
	if from == 0 {
		return "empty"
	}
	return "from " + human.Size(from)
}

// treemapOf shows the listed prefixes as areas.
func treemapOf(t *totals, by string) *chart {
	c := &chart{Kind: "treemap", Title: "Prefixes by size", Unit: "bytes"}
	if by == "objects" {
		c.Title, c.Unit = "Prefixes by objects", "count"
	}
	for _, p := range t.Prefixes {
		value := p.Bytes
		if by == "objects" {
			value = p.Objects
		}
		if value <= 0 {
			continue
		}
		c.Boxes = append(c.Boxes, box{
			Name: human.Visible(p.Name), Value: value, Href: p.Href, Rest: p.Href == "",
			Label: fmt.Sprintf("%s, %s", human.Size(p.Bytes), many(p.Objects, "object")),
		})
	}
	if len(c.Boxes) == 0 {
		return nil
	}
	return c
}
