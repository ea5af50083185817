package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake/bench/load"
	"github.com/stocktake/stocktake/bench/measure"
	"github.com/stocktake/stocktake/bench/peers"
)

// objectsCommand measures the API for objects of Stocktake and its peers.
func objectsCommand(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("objects", flag.ContinueOnError)
	names := flags.String("peers", "stocktake,versitygw,minio", "servers to measure")
	rounds := flags.Int("rounds", 3, "how often each server is measured, in turn; the median counts")
	each := flags.Duration("for", 3*time.Second, "how long each kind of request is sent")
	keys := flags.Int("keys", 20_000, "keys to list")
	dir := flags.String("dir", os.TempDir(), "folder for the stores, which are removed in the end")
	tools := flags.String("tools", "../.tools/peers", "folder for the servers' binaries, which stay")
	results := flags.String("results", "results", "folder for the figures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *rounds < 1 || *keys < 1000 || *each <= 0 {
		return errors.New("-rounds: at least 1, -keys: at least 1000, -for: more than 0")
	}
	all, err := peers.Named(*names)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(*dir, "stocktake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := objectsBench{each: *each, keys: *keys, samples: map[sampleKey][]float64{}}
	b.results = measure.Results{Date: time.Now(), Args: shown(flags)}
	if b.results.Host, err = measure.ThisHost(ctx, work, "."); err != nil {
		return err
	}
	binaries, err := install(ctx, all, *tools, work)
	if err != nil {
		return err
	}
	for range *rounds {
		for i, p := range all {
			if err := b.one(ctx, p, binaries[i], filepath.Join(work, "store")); err != nil {
				return err
			}
		}
	}
	b.compare(all)
	path, err := b.results.Save(*results, "objects")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n(in %s)\n", b.results.Text(), path)
	return nil
}

// install builds the servers; Stocktake is built anew, the others once.
func install(ctx context.Context, all []peers.Peer, tools, work string) ([]string, error) {
	tools, err := filepath.Abs(tools)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return nil, err
	}
	binaries := make([]string, len(all))
	for i, p := range all {
		to := tools
		if p.Name == "stocktake" {
			to = work
		}
		fmt.Fprintf(os.Stderr, "building %s\n", p.Name)
		if binaries[i], err = p.Install(ctx, to); err != nil {
			return nil, err
		}
	}
	return binaries, nil
}

const (
	smallSize = 1 << 10
	largeSize = 64 << 20
	pageKeys  = 1000 // of a listing
)

// A sampleKey is one server at one kind of work.
type sampleKey struct{ peer, work string }

type objectsBench struct {
	each    time.Duration
	keys    int
	works   []string                // in the order they were done first
	samples map[sampleKey][]float64 // more is better
	results measure.Results
}

func (b *objectsBench) add(peer, work, unit string, o load.Outcome, value float64) {
	key := sampleKey{peer, work}
	if len(b.samples[key]) == 0 && peer == peers.All[0].Name {
		b.works = append(b.works, work)
	}
	b.samples[key] = append(b.samples[key], value)
	line := measure.Result{
		Name: work + "/server=" + peer, Time: o.Took / time.Duration(o.Requests),
		Figures: []measure.Figure{
			{Value: value, Unit: unit},
			{Value: float64(o.P50.Microseconds()), Unit: "p50-us"},
			{Value: float64(o.P99.Microseconds()), Unit: "p99-us"},
		},
	}
	b.results.Lines = append(b.results.Lines, line)
	fmt.Fprintf(os.Stderr, "%s %v\n", line.Name, line.Figures)
}

// one measures one server on an empty folder, which it removes.
func (b *objectsBench) one(ctx context.Context, p peers.Peer, binary, dir string) (err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := p.Start(ctx, binary, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	const bucket = "bench"
	if _, err := s.Do(ctx, http.MethodPut, bucket, "", nil, nil, nil); err != nil {
		return err
	}
	small, large := pattern(smallSize), pattern(largeSize)
	for _, w := range []struct {
		size, clients int
		body          []byte
	}{{smallSize, 1, small}, {smallSize, 64, small}, {largeSize, 1, large}, {largeSize, 4, large}} {
		if err := b.putAndGet(ctx, s, bucket, w.body, w.clients); err != nil {
			return err
		}
	}
	return b.list(ctx, s)
}

// putAndGet puts objects for a while and then reads them.
func (b *objectsBench) putAndGet(ctx context.Context, s *peers.Server, bucket string, body []byte, clients int) error {
	key := func(i int) string { return fmt.Sprintf("%d/%d/object-%08d", len(body), clients, i) }
	l := load.Load{Clients: clients, For: b.each}
	put, err := l.Run(ctx, func(ctx context.Context, i int) error {
		_, err := s.Do(ctx, http.MethodPut, bucket, key(i), nil, bytes.NewReader(body), nil)
		return err
	})
	if err != nil {
		return err
	}
	get, err := l.Run(ctx, func(ctx context.Context, i int) error {
		n, err := s.Do(ctx, http.MethodGet, bucket, key(i%put.Requests), nil, nil, nil)
		if err == nil && n != int64(len(body)) {
			err = fmt.Errorf("%s: got %d of %d bytes", s.Name, n, len(body))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, w := range []struct {
		name string
		o    load.Outcome
	}{{"Put", put}, {"Get", get}} {
		value, unit := w.o.PerSecond(), "requests/s"
		if len(body) >= largeSize {
			value, unit = value*float64(len(body))/1e6, "MB/s"
		}
		b.add(s.Name, fmt.Sprintf("%s/size=%d/clients=%d", w.name, len(body), clients), unit, w.o, value)
	}
	return nil
}

// list fills a bucket of its own and lists it to the end, page by page.
func (b *objectsBench) list(ctx context.Context, s *peers.Server) error {
	const bucket = "listed"
	if _, err := s.Do(ctx, http.MethodPut, bucket, "", nil, nil, nil); err != nil {
		return err
	}
	fill := load.Load{Clients: 64, For: 10 * time.Minute, Most: b.keys}
	filled, err := fill.Run(ctx, func(ctx context.Context, i int) error {
		_, err := s.Do(ctx, http.MethodPut, bucket, fmt.Sprintf("part-%03d/object-%08d", i%100, i), nil, bytes.NewReader(nil), nil)
		return err
	})
	if err != nil {
		return err
	}
	if filled.Requests != b.keys {
		return fmt.Errorf("%s: only %d of %d keys put within %v", s.Name, filled.Requests, b.keys, fill.For)
	}
	var after string
	listed, last := 0, false
	pages := load.Load{Clients: 1, For: time.Minute, Most: b.keys/pageKeys + 2}
	o, err := pages.Run(ctx, func(ctx context.Context, _ int) error {
		if last {
			return nil
		}
		var page bytes.Buffer
		query := url.Values{"list-type": {"2"}, "max-keys": {fmt.Sprint(pageKeys)}}
		if after != "" {
			query.Set("start-after", after)
		}
		if _, err := s.Do(ctx, http.MethodGet, bucket, "", query, nil, &page); err != nil {
			return err
		}
		n := bytes.Count(page.Bytes(), []byte("<Key>"))
		listed += n
		if last = n < pageKeys; !last {
			after = lastKey(page.Bytes())
		}
		return nil
	})
	if err != nil {
		return err
	}
	if listed != b.keys {
		return fmt.Errorf("%s: %d keys listed of %d", s.Name, listed, b.keys)
	}
	b.add(s.Name, fmt.Sprintf("List/keys=%d", b.keys), "keys/s", o, float64(listed)/o.Took.Seconds())
	return nil
}

// lastKey is the last key of a page of a listing whose keys need no escape.
func lastKey(page []byte) string {
	i := bytes.LastIndex(page, []byte("<Key>")) + len("<Key>")
	return string(page[i : i+bytes.IndexByte(page[i:], '<')])
}

// pattern is bytes that do not compress well.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// compare fills in the ratios: ours over each of the others'.
func (b *objectsBench) compare(all []peers.Peer) {
	for _, work := range b.works {
		ours := b.samples[sampleKey{peers.All[0].Name, work}]
		for _, p := range all[1:] {
			theirs := b.samples[sampleKey{p.Name, work}]
			b.results.Ratios = append(b.results.Ratios, measure.Ratio{
				Name: work, Value: measure.Median(ours) / measure.Median(theirs),
				Says: fmt.Sprintf("stocktake over %s, medians of %d", p.Name, len(ours)),
			})
		}
	}
}
