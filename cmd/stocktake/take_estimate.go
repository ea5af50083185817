package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/internal/take"
	"github.com/stocktake/stocktake/internal/take/places"
	"github.com/stocktake/stocktake/internal/terminal"
)

// takeEstimate is the result of --estimate for programs.
type takeEstimate struct {
	Source string `json:"source"`
	*take.Estimate
	Price    float64 `json:"price,omitempty"` // of the calls, by the price list
	Currency string  `json:"currency,omitempty"`
}

// estimate carries out --estimate.
func (c *takeCmd) estimate(ctx context.Context, con console, job take.Job, src *places.Place) error {
	limits := src.Store.Settings().Limits
	e, err := take.Guess(ctx, job, c.Objects, take.Pace{
		Requests: limits.Concurrency, PerSecond: limits.PerSecond, PerObject: src.Store.Costs(job.Configuration.Columns()).PerObject,
	})
	if err != nil {
		return fmt.Errorf("estimate %s: %w%s", c.Source, err, takeAdvice(err, src, nil))
	}
	price, public := src.Price(e)
	res := takeEstimate{Source: c.Source, Estimate: e, Price: price.Amount, Currency: price.Currency}
	if c.JSON {
		return terminal.PrintJSON(con.out, res)
	}
	about := "about "
	if e.Exact {
		about = ""
	}
	sayf(con.out, "objects  %s%s, %s\n", about, count(e.Objects), e.Basis)
	sayf(con.out, "calls    %s listing requests, of %d rows and %s each, as %s showed\n", count(e.Calls), e.PageSize, e.PageTime.Round(100*time.Microsecond), many(int64(e.Probes), "request"))
	if e.Requests > 0 {
		sayf(con.out, "         at most %s requests for single objects, %s each\n", count(e.Requests), e.ObjectTime.Round(100*time.Microsecond))
	}
	if len(e.Unavailable) > 0 {
		sayf(con.out, "empty    %s: not available from the store\n", reporttext.FieldNames(e.Unavailable))
	}
	rate := fmt.Sprintf("%d requests at once", max(limits.Concurrency, 1))
	if limits.PerSecond > 0 {
		rate += fmt.Sprintf(", at most %g a second", limits.PerSecond)
	}
	_, err = sayf(con.out, "time     at least %s, if the store sustains %s\n", e.Time.Round(time.Second), rate)
	if public && err == nil {
		_, err = sayf(con.out, "price    %.4f %s by the price list (%s)\n", price.Amount, price.Currency, price.Where)
	}
	return err
}
