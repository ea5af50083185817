package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/bench/internal/peers"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
)

// The buckets of the comparison: one with incremental reports, one without, and the
// one that receives the reports.
const (
	plainBucket     = "plain"
	journalBucket   = "journalled"
	journalsReports = "windows"
)

// journalCost compares PUT into a bucket with a configuration of incremental
// reports with PUT into one without, in turn on one server. Processor time is that
// of the server.
func (b *objectsBench) journalCost(ctx context.Context, rounds int) (err error) {
	binary, err := b.Build(ctx)
	if err != nil {
		return err
	}
	server, err := testserver.Start(ctx, testserver.Config{Binary: binary, Data: b.Data()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(), os.RemoveAll(b.Data())) }()
	s, c := peers.Of(server), lakeserver.CLI{Binary: binary, Server: server}
	for _, name := range []string{plainBucket, journalBucket, journalsReports} {
		if _, err := s.Do(ctx, http.MethodPut, name, "", nil, nil, nil); err != nil {
			return err
		}
	}
	if err := client.New(c.Client()).Put(ctx, journalBucket, stocktake.InventoryConfiguration{
		ID: "bench", IsEnabled: true, IncludedObjectVersions: stocktake.CurrentVersions, Schedule: stocktake.Schedule{Frequency: stocktake.Weekly},
		Destination: stocktake.Destination{
			Format: "CSV", AccountID: testserver.AccountID, RoleARN: "acs:ram::" + testserver.AccountID + ":role/bench", Bucket: journalsReports,
		},
		Incremental: &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow, OptionalFields: []stocktake.Field{stocktake.FieldSequenceNumber}},
	}); err != nil {
		return err
	}
	for _, clients := range []int{1, 64} {
		if err := b.journalPairs(ctx, s, rounds, clients); err != nil {
			return err
		}
	}
	return nil
}

// journalPairs measures both buckets in turn, beginning with either.
func (b *objectsBench) journalPairs(ctx context.Context, s *peers.Server, rounds, clients int) error {
	body := pattern(smallSize)
	for _, bucket := range []string{plainBucket, journalBucket} { // warm, and until the first report is made
		if _, err := (load.Load{Clients: clients, For: b.each}).Run(ctx, func(ctx context.Context, i int) error {
			_, err := s.Do(ctx, http.MethodPut, bucket, fmt.Sprintf("%d/warm/object-%08d", clients, i), nil, bytes.NewReader(body), nil)
			return err
		}); err != nil {
			return err
		}
	}
	var cpu, rate []float64
	for round := range rounds {
		var perPut, perSecond [2]float64 // without, with
		for i := range 2 {
			with := (i + round) % 2
			bucket := []string{plainBucket, journalBucket}[with]
			before, err := measure.Of(s.PID())
			if err != nil {
				return err
			}
			o, err := load.Load{Clients: clients, For: b.each}.Run(ctx, func(ctx context.Context, i int) error {
				_, err := s.Do(ctx, http.MethodPut, bucket, fmt.Sprintf("%d/%d/object-%08d", clients, round, i), nil, bytes.NewReader(body), nil)
				return err
			})
			if err != nil {
				return err
			}
			after, err := measure.Of(s.PID())
			if err != nil {
				return err
			}
			perPut[with] = (after.CPU - before.CPU).Seconds() / float64(o.Requests)
			perSecond[with] = o.PerSecond()
			b.Add(fmt.Sprintf("Put/%s/size=%d/clients=%d", bucket, smallSize, clients), o.Took/time.Duration(o.Requests),
				measure.Figure{Value: o.PerSecond(), Unit: "requests/s"}, measure.Figure{Value: perPut[with] * 1e6, Unit: "cpu-us/request"}, experiment.P50(o), experiment.P99(o))
		}
		cpu, rate = append(cpu, perPut[1]/perPut[0]), append(rate, perSecond[1]/perSecond[0])
	}
	b.AddRatio(fmt.Sprintf("journal-cpu/clients=%d", clients), measure.Median(cpu), fmt.Sprintf("processor time of the server for a PUT of 1 KiB with incremental reports over without, median of %d pairs", rounds))
	b.AddRatio(fmt.Sprintf("journal-rate/clients=%d", clients), measure.Median(rate), "PUT of 1 KiB a second, likewise")
	return nil
}
