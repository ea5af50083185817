package main

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

	"github.com/stocktake/stocktake/bench/load"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/bench/peers"
)

// besideCommand measures how much a run slows the API down, both at full load.
func besideCommand(ctx context.Context, args []string) error {
	b := besideBench{measurement: newMeasurement("beside", "folder for the store, which is removed in the end")}
	objects := set(b.flags, "objects", "10000000", "objects in the bucket of the runs", atLeast(1))
	rounds := set(b.flags, "rounds", "5", "how often the API is measured without and with runs, in turn; the median counts", atLeast(1))
	each := set(b.flags, "for", "4s", "how long the API is measured each time", positive)
	clients := set(b.flags, "clients", "64", "clients of the API", atLeast(1))
	share := b.flags.Float64("scan-share", 0.1, "what stocktake serve is told; its default is 0.1")
	return b.main(ctx, args, func(ctx context.Context) error {
		b.load = load.Load{Clients: *clients, For: *each}
		return b.withLake(ctx, *objects, func(s *lakeServer) error {
			b.lake, b.server = s, peers.Of(s.server)
			return b.measure(ctx, *rounds)
		}, "--scan-share", fmt.Sprint(*share))
	})
}

type besideBench struct {
	*measurement
	load   load.Load
	lake   *lakeServer
	server *peers.Server
	puts   int // objects put so far
}

const besideBucket = "beside"

func (b *besideBench) measure(ctx context.Context, rounds int) error {
	if err := b.lake.configure(ctx); err != nil {
		return err
	}
	if _, err := b.lake.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(besideBucket)}); err != nil {
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
		b.add("Runs", took/time.Duration(max(runs, 1)), measure.Figure{Value: float64(runs), Unit: "runs"})
		put = append(put, busy.put.PerSecond()/alone.put.PerSecond())
		get = append(get, busy.get.PerSecond()/alone.get.PerSecond())
	}
	b.addRatio("put-kept", measure.Median(put), fmt.Sprintf("PUT of 1 KiB a second beside runs over without, %d clients, median of %d pairs", b.load.Clients, rounds))
	b.addRatio("get-kept", measure.Median(get), "GET of 1 KiB, likewise")
	return nil
}

func (b *besideBench) addLoad(name string, o load.Outcome) {
	b.add(fmt.Sprintf("%s/clients=%d", name, b.load.Clients), o.Took/time.Duration(o.Requests),
		measure.Figure{Value: o.PerSecond(), Unit: "requests/s"}, p50(o), p99(o))
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
			if _, err := b.lake.inventory(ctx); err != nil {
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
