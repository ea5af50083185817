package console

import (
	"fmt"
	"slices"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report/rollup"
)

// addRange adds what a class has of a range to its row; rows ascend.
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

// rangeChart shows ranges as bars, with the classes on top of each other.
func rangeChart(title, unit string, rows []rangeRow, classes []classRow) *chart {
	c := &chart{Kind: "bar", Title: title, Unit: unit, Stacked: true}
	for _, r := range rows {
		c.Labels = append(c.Labels, r.Name)
	}
	for _, class := range classes {
		s := series{Name: class.Class}
		for _, r := range rows {
			s.Values = append(s.Values, r.classes[class.Class])
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// ageName says in words which ages begin at a number of days.
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

// sizeName says in words which sizes begin at a number of bytes.
func sizeName(from int64) string {
	if from == 0 {
		return "empty"
	}
	return "from " + human.Size(from)
}

// treemapOf shows the prefixes that are listed as areas.
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
			Name: visible(p.Name), Value: value, Href: p.Href, Rest: p.Href == "",
			Label: fmt.Sprintf("%s, %s", human.Size(p.Bytes), many(p.Objects, "object")),
		})
	}
	if len(c.Boxes) == 0 {
		return nil
	}
	return c
}
