package bucket

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// Notes returns remarks for people about reports on a bucket with some columns: columns that its
// store cannot provide, and the cost of others for a number of rows; 0: unknown. It contacts no
// store.
func (r *Registry) Notes(bucket string, columns []stocktake.Field, rows int64) (notes []string) {
	st, _ := r.find(bucket)
	if st == nil {
		return nil
	}
	c := st.Service.Costs(columns)
	if len(c.Unavailable) > 0 {
		notes = append(notes, fmt.Sprintf("the store %q cannot tell %s: such columns are empty", st.Name, names(c.Unavailable)))
	}
	if c.PerObject == 0 {
		return notes
	}
	requests := "1 request"
	if c.PerObject > 1 {
		requests = strconv.Itoa(c.PerObject) + " requests"
	}
	note := fmt.Sprintf("no listing of the store %q tells %s: that takes %s for each object of the report", st.Name, names(c.Fetched), requests)
	total := float64(rows) * float64(c.PerObject)
	switch {
	case rows > 0 && c.PerSecond > 0:
		note += fmt.Sprintf(", %.0f for the %d objects of the last one, which take %s at %g a second", total, rows,
			time.Duration(total/c.PerSecond*float64(time.Second)).Round(time.Second), c.PerSecond)
	case rows > 0:
		note += fmt.Sprintf(", %.0f for the %d objects of the last one, at most %d at once", total, rows, c.Concurrency)
	case c.PerSecond > 0:
		note += fmt.Sprintf(", at %g a second %s for a million objects", c.PerSecond,
			time.Duration(1e6*float64(c.PerObject)/c.PerSecond*float64(time.Second)).Round(time.Second))
	}
	return append(notes, note)
}

// names joins the names of columns.
func names(columns []stocktake.Field) string {
	var all []string
	for _, f := range columns {
		all = append(all, f.String())
	}
	if n := len(all); n > 1 {
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
	return strings.Join(all, "")
}
