package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/bench/internal/peers"
)

// Beside measures how much a run slows the API down, both at full load.
func Beside(ctx context.Context, args []string) error {
	b := besideBench{Experiment: experiment.New("beside", "folder for the store, which is removed in the end")}
	objects := experiment.Set(b.Flags, "objects", "10000000", "objects in the bucket of the runs", experiment.AtLeast(1))
	rounds := experiment.Set(b.Flags, "rounds", "5", "how often the API is measured without and with runs, in turn; the median counts", experiment.AtLeast(1))
	each := experiment.Set(b.Flags, "for", "4s", "how long the API is measured each time", experiment.Positive)
	clients := experiment.Set(b.Flags, "clients", "64", "clients of the API", experiment.AtLeast(1))
	share := b.Flags.Float64("scan-share", 0.1, "--scan-share of stocktake serve, whose default is 0.1")
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.load = load.Load{Clients: *clients, For: *each}
		return lakeserver.With(ctx, b.Experiment, *objects, func(s *lakeserver.Server) error {
			b.lake, b.server = s, peers.Of(s.Server)
			return b.measure(ctx, *rounds)
		}, "--scan-share", fmt.Sprint(*share))
	})
}

type besideBench struct {
	*experiment.Experiment
	load   load.Load
	lake   *lakeserver.Server
	server *peers.Server
	puts   int // objects put so far
}

const besideBucket = "beside"

func (b *besideBench) measure(ctx context.Context, rounds int) error {
	if err := b.lake.Configure(ctx); err != nil {
		return err
	}
	if _, err := b.lake.Client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(besideBucket)}); err != nil {
		return err
	}
	if _, err := b.press(ctx); err != nil { // warm
		return err
	}
	var put, get []float64
	for range rounds {
		alone, err := b.press(ctx)
		if err != nil {
			return err
		}
		busy, runs, took, err := b.pressWithRuns(ctx)
		if err != nil {
			return err
		}
		b.addLoad("Put/alone", alone.put)
		b.addLoad("Put/beside-runs", busy.put)
		b.addLoad("Get/alone", alone.get)
		b.addLoad("Get/beside-runs", busy.get)
		b.Add("Runs", took/time.Duration(max(runs, 1)), measure.Figure{Value: float64(runs), Unit: "runs"})
		put = append(put, busy.put.PerSecond()/alone.put.PerSecond())
		get = append(get, busy.get.PerSecond()/alone.get.PerSecond())
	}
	b.AddRatio("put-kept", measure.Median(put), fmt.Sprintf("PUT of 1 KiB a second beside runs over without, %d clients, median of %d pairs", b.load.Clients, rounds))
	b.AddRatio("get-kept", measure.Median(get), "GET of 1 KiB, likewise")
	return nil
}

func (b *besideBench) addLoad(name string, o load.Outcome) {
	b.Add(fmt.Sprintf("%s/clients=%d", name, b.load.Clients), o.Took/time.Duration(o.Requests),
		measure.Figure{Value: o.PerSecond(), Unit: "requests/s"}, experiment.P50(o), experiment.P99(o))
}

// pressed is the load of the API.
type pressed struct{ put, get load.Outcome }

// press puts objects and then reads them, as fast as the API allows.
func (b *besideBench) press(ctx context.Context) (p pressed, err error) {
	body, first := pattern(smallSize), b.puts
	key := func(i int) string { return fmt.Sprintf("object-%08d", first+i) }
	p.put, err = b.load.Run(ctx, func(ctx context.Context, i int) error {
		_, err := b.server.Do(ctx, http.MethodPut, besideBucket, key(i), nil, bytes.NewReader(body), nil)
		return err
	})
	if err != nil {
		return p, err
	}
	b.puts += p.put.Requests
	p.get, err = b.load.Run(ctx, func(ctx context.Context, i int) error {
		_, err := b.server.Do(ctx, http.MethodGet, besideBucket, key(i%p.put.Requests), nil, nil, nil)
		return err
	})
	return p, err
}

// pressWithRuns does the same while one run follows another.
func (b *besideBench) pressWithRuns(ctx context.Context) (p pressed, runs int, took time.Duration, err error) {
	var g errgroup.Group
	var stop atomic.Bool
	start := time.Now()
	g.Go(func() error {
		for ; !stop.Load(); runs++ {
			if _, err := b.lake.Inventory(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	p, err = b.press(ctx)
	stop.Store(true)
	err = errors.Join(err, g.Wait())
	return p, runs, time.Since(start), err
}
