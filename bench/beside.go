package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/bench/load"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/bench/peers"
	"github.com/stocktake/stocktake/internal/testserver"
)

// besideCommand measures what a run takes from the API, both at full load.
func besideCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("beside", flag.ContinueOnError)
	objects := flags.Int("objects", 10_000_000, "objects in the bucket of the runs")
	rounds := flags.Int("rounds", 5, "how often the API is measured without and with runs, in turn; the median counts")
	each := flags.Duration("for", 4*time.Second, "how long the API is measured each time")
	clients := flags.Int("clients", 64, "clients of the API")
	share := flags.Float64("scan-share", 0.1, "what stocktake serve is told; its default is 0.1")
	dir := flags.String("dir", os.TempDir(), "folder for the store, which is removed in the end")
	results := flags.String("results", "results", "folder for the figures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *rounds < 1 || *objects < 1 || *each <= 0 || *clients < 1 {
		return errors.New("-rounds, -objects and -clients: at least 1, -for: more than 0")
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := besideBench{load: load.Load{Clients: *clients, For: *each}}
	b.results = measure.Results{Date: time.Now(), Args: shown(flags)}
	if b.results.Host, err = measure.ThisHost(ctx, work, "."); err != nil {
		return err
	}
	binary, err := testserver.Build(ctx, work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return err
	}
	data := filepath.Join(work, "data")
	if err := seed(ctx, data, lakeBucket, *objects); err != nil {
		return err
	}
	server, err := testserver.Start(ctx, testserver.Config{Binary: binary, Data: data, Args: []string{"--scan-share", fmt.Sprint(*share)}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	b.cli, b.server = cli{binary: binary, server: server}, peers.Of(server)
	if err := b.measure(ctx, *rounds); err != nil {
		return err
	}
	path, err := b.results.Save(*results, "beside")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

type besideBench struct {
	load    load.Load
	cli     cli
	server  *peers.Server
	puts    int // objects put so far
	results measure.Results
}

const besideBucket = "beside"

func (b *besideBench) measure(ctx context.Context, rounds int) error {
	for _, bucket := range []string{reportsBucket, besideBucket} {
		if _, err := b.cli.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(bucket)}); err != nil {
			return err
		}
	}
	if _, err := b.cli.run(ctx, "inventory", "put", "--disabled", "-b", lakeBucket, "-i", "bench",
		"--destination", reportsBucket, "--fields", allFields); err != nil {
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
		busy, runs, err := b.pressWithRuns(ctx)
		if err != nil {
			return err
		}
		b.add("Put/alone", alone.put)
		b.add("Put/beside-runs", busy.put)
		b.add("Get/alone", alone.get)
		b.add("Get/beside-runs", busy.get)
		b.results.Lines = append(b.results.Lines, runs)
		put = append(put, busy.put.PerSecond()/alone.put.PerSecond())
		get = append(get, busy.get.PerSecond()/alone.get.PerSecond())
	}
	b.results.Ratios = append(b.results.Ratios,
		measure.Ratio{Name: "put-kept", Value: measure.Median(put), Says: fmt.Sprintf("PUT of 1 KiB a second beside runs over without, %d clients, median of %d pairs", b.load.Clients, rounds)},
		measure.Ratio{Name: "get-kept", Value: measure.Median(get), Says: "GET of 1 KiB, likewise"})
	return nil
}

func (b *besideBench) add(name string, o load.Outcome) {
	line := measure.Result{Name: fmt.Sprintf("%s/clients=%d", name, b.load.Clients), Time: o.Took / time.Duration(o.Requests), Figures: []measure.Figure{
		{Value: o.PerSecond(), Unit: "requests/s"},
		{Value: float64(o.P50.Microseconds()), Unit: "p50-us"},
		{Value: float64(o.P99.Microseconds()), Unit: "p99-us"},
	}}
	b.results.Lines = append(b.results.Lines, line)
	fmt.Fprintf(os.Stderr, "%s %v\n", line.Name, line.Figures)
}

// pressed is what the API did.
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

// pressWithRuns does it while one run after another goes on.
func (b *besideBench) pressWithRuns(ctx context.Context) (p pressed, runs measure.Result, err error) {
	var g errgroup.Group
	var stop atomic.Bool
	count := 0
	start := time.Now()
	g.Go(func() error {
		for ; !stop.Load(); count++ {
			if _, err := b.cli.run(ctx, "inventory", "run", "--wait", "--json", "-b", lakeBucket, "-i", "bench"); err != nil {
				return err
			}
		}
		return nil
	})
	p, err = b.press(ctx)
	stop.Store(true)
	err = errors.Join(err, g.Wait())
	took := time.Since(start)
	return p, measure.Result{
		Name: "Runs", Time: took / time.Duration(max(count, 1)),
		Figures: []measure.Figure{{Value: float64(count), Unit: "runs"}},
	}, err
}
