package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/klauspost/compress/gzip"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/load"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/bench/peers"
	"github.com/stocktake/stocktake/internal/testserver"
)

// listersCommand measures what people do who have no inventory: they list the
// bucket with a tool and compress what it prints.
func listersCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("listers", flag.ContinueOnError)
	keys := flags.Int("keys", 100_000, "objects in the bucket, the same for all")
	servers := flags.String("peers", "versitygw,minio", "servers that are listed; the tools cannot speak to Stocktake")
	rounds := flags.Int("rounds", 3, "how often each is measured; the median counts")
	dir := flags.String("dir", os.TempDir(), "folder for the stores, which are removed in the end")
	tools := flags.String("tools", "../.tools/peers", "folder for the binaries of servers and tools, which stay")
	results := flags.String("results", "results", "folder for the figures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *rounds < 1 || *keys < 1 {
		return errors.New("-rounds and -keys: at least 1")
	}
	listed, err := peers.Named(*servers)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := listersBench{keys: *keys, rounds: *rounds, work: work, samples: map[string][]float64{}}
	b.results = measure.Results{Date: time.Now(), Args: shown(flags)}
	if b.results.Host, err = measure.ThisHost(ctx, work, "."); err != nil {
		return err
	}
	binaries, err := install(ctx, listed, *tools, work)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(*tools)
	if err != nil {
		return err
	}
	listers := map[string]string{}
	for _, l := range peers.Listers {
		fmt.Fprintf(os.Stderr, "building %s\n", l.Name)
		if listers[l.Name], err = l.Install(ctx, absolute); err != nil {
			return err
		}
	}
	if err := b.stocktake(ctx); err != nil {
		return err
	}
	for i, p := range listed {
		if err := b.server(ctx, p, binaries[i], listers); err != nil {
			return err
		}
	}
	for _, name := range b.names[1:] {
		b.results.Ratios = append(b.results.Ratios, measure.Ratio{
			Name: name, Value: measure.Median(b.samples[b.names[0]]) / measure.Median(b.samples[name]),
			Says: fmt.Sprintf("objects a second of a whole run over those of the listing, medians of %d", b.rounds),
		})
	}
	path, err := b.results.Save(*results, "listers")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

type listersBench struct {
	keys, rounds int
	work         string
	names        []string
	samples      map[string][]float64 // objects/s
	results      measure.Results
}

func (b *listersBench) add(name string, took time.Duration) {
	rate := float64(b.keys) / took.Seconds()
	if b.samples[name] == nil {
		b.names = append(b.names, name)
	}
	b.samples[name] = append(b.samples[name], rate)
	line := measure.Result{Name: fmt.Sprintf("%s/objects=%d", name, b.keys), Time: took, Figures: []measure.Figure{{Value: rate, Unit: "objects/s"}}}
	b.results.Lines = append(b.results.Lines, line)
	fmt.Fprintf(os.Stderr, "%s: %v %v\n", line.Name, took.Round(time.Millisecond), line.Figures)
}

// stocktake makes runs over as many objects.
func (b *listersBench) stocktake(ctx context.Context) (err error) {
	data := filepath.Join(b.work, "data")
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	binary, err := testserver.Build(ctx, b.work, "-trimpath", "-ldflags=-s -w")
	if err != nil {
		return err
	}
	if err := seed(ctx, data, lakeBucket, b.keys); err != nil {
		return err
	}
	server, err := testserver.Start(ctx, testserver.Config{Binary: binary, Data: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	c := cli{binary: binary, server: server}
	if _, err := c.client().PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(reportsBucket)}); err != nil {
		return err
	}
	if _, err := c.run(ctx, "inventory", "put", "--disabled", "-b", lakeBucket, "-i", "bench",
		"--destination", reportsBucket, "--fields", allFields); err != nil {
		return err
	}
	for range b.rounds {
		out, err := c.run(ctx, "inventory", "run", "--wait", "--json", "-b", lakeBucket, "-i", "bench")
		if err != nil {
			return err
		}
		var run stocktake.Run
		if err := json.Unmarshal(out, &run); err != nil {
			return fmt.Errorf("stocktake inventory run: %w\n%s", err, out)
		}
		if run.State != stocktake.Succeeded || run.Matched != int64(b.keys) {
			return fmt.Errorf("run %s with %d of %d objects: %s", run.State, run.Matched, b.keys, run.Reason)
		}
		b.add("Stocktake", run.Ended.Sub(run.Started))
	}
	return nil
}

// server fills a server and has every tool list it.
func (b *listersBench) server(ctx context.Context, p peers.Peer, binary string, listers map[string]string) (err error) {
	data := filepath.Join(b.work, "peer")
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	s, err := p.Start(ctx, binary, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	const bucket = "listed"
	if _, err := s.Do(ctx, http.MethodPut, bucket, "", nil, nil, nil); err != nil {
		return err
	}
	fill := load.Load{Clients: 64, For: time.Hour, Most: b.keys}
	if _, err := fill.Run(ctx, func(ctx context.Context, i int) error {
		_, err := s.Do(ctx, http.MethodPut, bucket, fmt.Sprintf("part-%03d/object-%08d", i%100, i), nil, bytes.NewReader(nil), nil)
		return err
	}); err != nil {
		return err
	}
	for range b.rounds {
		for _, l := range peers.Listers {
			took, err := b.list(ctx, l, listers[l.Name], s, bucket)
			if err != nil {
				return err
			}
			b.add(fmt.Sprintf("%s-gzip-1/server=%s", l.Name, p.Name), took)
		}
	}
	return nil
}

// list has a tool list a bucket and compresses what it prints.
func (b *listersBench) list(ctx context.Context, l peers.Lister, binary string, s *peers.Server, bucket string) (time.Duration, error) {
	cmd, err := l.List(ctx, binary, s, bucket, b.work)
	if err != nil {
		return 0, err
	}
	var n counter
	z, err := gzip.NewWriterLevel(&n, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	lines := &lineCounter{w: z}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = lines, &stderr
	start := time.Now()
	if err := errors.Join(cmd.Run(), z.Close()); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", l.Name, err, stderr.Bytes())
	}
	took := time.Since(start)
	if lines.n < b.keys {
		return 0, fmt.Errorf("%s listed %d of %d objects", l.Name, lines.n, b.keys)
	}
	return took, nil
}

// lineCounter counts the lines that go to w.
type lineCounter struct {
	w *gzip.Writer
	n int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{'\n'})
	return c.w.Write(p)
}
