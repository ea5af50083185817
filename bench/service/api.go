package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// reportsOfSmall times reports from before the configuration is put to when its
// manifest can be read, one after another.
func (b *serviceBench) reportsOfSmall(ctx context.Context) error {
	var took []time.Duration
	for i := range b.reports {
		start := time.Now()
		id := fmt.Sprintf("once-%04d", i)
		if err := b.inventories.Put(ctx, smallBucket, lakeserver.Configuration(id, true, stocktake.Once)); err != nil {
			return err
		}
		run, err := b.end(ctx, smallBucket, id)
		if err != nil {
			return err
		}
		if err := lakeserver.Succeeded(run, smallRows); err != nil {
			return err
		}
		if err := b.cli.Get(ctx, run.Destination, run.Manifest, func(manifest io.Reader) error {
			_, err := io.Copy(io.Discard, manifest)
			return err
		}); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	median, longest := measure.Median(took), slices.Max(took)
	b.Add(fmt.Sprintf("PutToManifest/objects=%d", smallRows), median,
		measure.Figure{Value: ms(slices.Min(took)), Unit: "min-ms"}, measure.Figure{Value: ms(longest), Unit: "max-ms"})
	says := fmt.Sprintf("bucket of %d objects, %d times", smallRows, b.reports)
	b.goals.under("put to manifest, median", ms(median), 1000, "ms", says)
	b.goals.under("put to manifest, longest", ms(longest), 1000, "ms", says)
	return nil
}

// end waits until the run of a configuration has ended. It looks more often than
// [client.Client.Wait], which is made for people.
func (b *serviceBench) end(ctx context.Context, bucket, id string) (stocktake.Run, error) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := b.inventories.Status(ctx, bucket, id)
		if err != nil {
			return stocktake.Run{}, err
		}
		if last := status[0].Last; last != nil && last.State.Ended() {
			return *last, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return stocktake.Run{}, context.Cause(ctx)
		}
	}
}

// lakeRuns is how many configurations of the large bucket run repeatedly: enough that
// some are running at any time.
const lakeRuns = 4

// apiBesideRuns measures the requests of the inventory API with nothing else to
// do, and while runs of the large bucket follow one another without a pause.
func (b *serviceBench) apiBesideRuns(ctx context.Context) error {
	if _, err := b.api(ctx, "warm"); err != nil {
		return err
	}
	idle, err := b.api(ctx, "idle")
	if err != nil {
		return err
	}
	for i := range lakeRuns {
		if err := b.inventories.Put(ctx, lakeserver.Bucket, lakeserver.Configuration(fmt.Sprint("lake-", i), false, stocktake.Daily)); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	made := make([]int, lakeRuns)
	var g errgroup.Group
	for i := range lakeRuns {
		g.Go(func() error { return b.runAgain(ctx, fmt.Sprint("lake-", i), &made[i]) })
	}
	busy, err := b.besideOne(ctx)
	stop()
	if err := errors.Join(err, g.Wait()); err != nil {
		return err
	}
	took, runs := time.Since(start), 0
	for _, n := range made {
		runs += n
	}
	b.Add(fmt.Sprintf("Beside/objects=%d", b.objects), took, experiment.PerSecond(runs*b.objects, took, "objects"), measure.Figure{Value: float64(runs), Unit: "runs"})
	for i, op := range apiOperations {
		b.addLatency(op, "idle", idle[i])
		b.addLatency(op, "beside-runs", busy[i])
		says := fmt.Sprintf("p99 %.1f ms; idle p50 %.1f, p99 %.1f ms", ms(busy[i].P99), ms(idle[i].P50), ms(idle[i].P99))
		if op == listAndParse {
			b.goals.state(op+" during runs, p50", ms(busy[i].P50), "ms", says)
			continue
		}
		b.goals.under(op+" inventory during runs, p50", ms(busy[i].P50), 5, "ms", says)
	}
	return nil
}

func (b *serviceBench) addLatency(op, when string, o load.Outcome) {
	b.Add(fmt.Sprintf("%s/%s", op, when), o.Took/time.Duration(o.Requests), experiment.P50(o), experiment.P99(o))
}

// besideOne waits until a run is in progress and returns the results of api.
func (b *serviceBench) besideOne(ctx context.Context) ([]load.Outcome, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := b.inventories.Status(ctx, lakeserver.Bucket, "")
		if err != nil {
			return nil, err
		}
		for _, s := range status {
			if s.Last != nil && s.Last.State == stocktake.Scanning {
				return b.api(ctx, "busy")
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// runAgain runs a configuration of the large bucket repeatedly until ctx ends, then
// cancels its run, and counts the runs that have succeeded.
func (b *serviceBench) runAgain(ctx context.Context, id string, made *int) error {
	for ctx.Err() == nil {
		run, err := b.inventories.Run(ctx, lakeserver.Bucket, id)
		if err == nil {
			run, err = b.inventories.Wait(ctx, run, nil)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return err
		default:
			if err := lakeserver.Succeeded(run, b.objects); err != nil {
				return err
			}
			*made++
		}
	}
	// The last one counts for nothing; if it has just ended there is none.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := b.inventories.Cancel(grace, lakeserver.Bucket, id); err != nil && !errors.Is(err, stocktake.ErrNoSuchRun) {
		return err
	}
	return nil
}

// listAndParse is List including the parsing of the page by the client, which takes
// longer than the answer.
const listAndParse = "List-and-parse"

// apiOperations are what api measures, in its order.
var apiOperations = []string{"Put", "Get", "List", listAndParse}

// api measures each operation from one client that sends one request after
// another: puts of disabled configurations to a bucket that it makes, gets of
// all configurations in turn, lists of the first page of each bucket in turn,
// until the last byte of the answer.
func (b *serviceBench) api(ctx context.Context, name string) (found []load.Outcome, err error) {
	bucket := "put-" + name
	if _, err := b.sdk.PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(bucket)}); err != nil {
		return nil, err
	}
	for _, do := range []func(ctx context.Context, i int) error{
		func(ctx context.Context, i int) error {
			return b.inventories.Put(ctx, bucket, lakeserver.Configuration(fmt.Sprintf("put-%04d", i), false, stocktake.Daily))
		},
		func(ctx context.Context, i int) error {
			from, id := crowd(i * 7919 % b.configurations)
			_, err := b.inventories.Get(ctx, from, id)
			return err
		},
		func(ctx context.Context, i int) error {
			from, _ := crowd(i * crowdOf % b.configurations)
			return b.firstPage(ctx, from)
		},
		func(ctx context.Context, i int) error {
			from, _ := crowd(i * crowdOf % b.configurations)
			for _, err := range b.inventories.List(ctx, from) {
				return err // after the first page
			}
			return fmt.Errorf("bucket %s lists nothing", from)
		},
	} {
		o, err := b.press(ctx, 1, b.requests, do)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	return found, nil
}

// firstPage reads the first page of a listing, but does not look at it.
func (b *serviceBench) firstPage(ctx context.Context, bucket string) error {
	out, err := b.sdk.InvokeOperation(ctx, &oss.OperationInput{
		OpName: "ListBucketInventory", Method: http.MethodGet, Bucket: oss.Ptr(bucket),
		Parameters: map[string]string{"inventory": ""},
	})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	_, err = io.Copy(io.Discard, out.Body)
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
