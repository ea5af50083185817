// Package api measures what callers of a server wait for: requests for objects, with
// and without runs and the journal at the same time, and pages of the console.
package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/bench/internal/peers"
)

// Objects measures the API for objects of Stocktake and its peers.
func Objects(ctx context.Context, args []string) error {
	b := objectsBench{Experiment: experiment.New("objects", "folder for the stores, which are removed in the end"), samples: map[sampleKey][]float64{}}
	all := experiment.Set(b.Flags, "peers", "stocktake,versitygw,minio", "servers to measure", peers.Named)
	rounds := experiment.Set(b.Flags, "rounds", "3", "how often each server is measured, in turn; the median counts", experiment.AtLeast(1))
	each := experiment.Set(b.Flags, "for", "3s", "how long each kind of request is sent", experiment.Positive)
	keys := experiment.Set(b.Flags, "keys", "20000", "keys to list", experiment.AtLeast(pageKeys))
	large := b.Flags.Bool("large", false, "only put and get objects of 64 MiB")
	journal := b.Flags.Bool("journal", false, "compare PUT with incremental reports with PUT without, on stocktake alone")
	tools := experiment.ToolsFlag(b.Flags)
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.each, b.keys, b.large = *each, *keys, *large
		if *journal {
			return b.journalCost(ctx, *rounds)
		}
		binaries, err := b.InstallPeers(ctx, *all, *tools)
		if err != nil {
			return err
		}
		for range *rounds {
			for i, p := range *all {
				if err := b.one(ctx, p, binaries[i], b.Data()); err != nil {
					return err
				}
			}
		}
		b.compare(*all)
		return nil
	})
}

const (
	smallSize = 1 << 10
	largeSize = 64 << 20
	pageKeys  = 1000 // of a listing
)

// A sampleKey is one server at one kind of work.
type sampleKey struct{ peer, work string }

type objectsBench struct {
	*experiment.Experiment
	each    time.Duration
	keys    int
	large   bool                    // large objects only
	works   []string                // in the order they were done first
	samples map[sampleKey][]float64 // more is better
}

func (b *objectsBench) addWork(peer, work, unit string, o load.Outcome, value float64) {
	key := sampleKey{peer, work}
	if len(b.samples[key]) == 0 && peer == peers.All[0].Name {
		b.works = append(b.works, work)
	}
	b.samples[key] = append(b.samples[key], value)
	b.Add(work+"/server="+peer, o.Took/time.Duration(o.Requests), measure.Figure{Value: value, Unit: unit}, experiment.P50(o), experiment.P99(o))
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
		if b.large && w.size < largeSize {
			continue
		}
		if err := b.putAndGet(ctx, s, bucket, w.body, w.clients); err != nil {
			return err
		}
	}
	if b.large {
		return nil
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
		b.addWork(s.Name, fmt.Sprintf("%s/size=%d/clients=%d", w.name, len(body), clients), unit, w.o, value)
	}
	return nil
}

// list fills a separate bucket and lists it to the end, page by page.
func (b *objectsBench) list(ctx context.Context, s *peers.Server) error {
	const bucket = "listed"
	if err := s.Fill(ctx, bucket, b.keys); err != nil {
		return err
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
	b.addWork(s.Name, fmt.Sprintf("List/keys=%d", b.keys), "keys/s", o, float64(listed)/o.Took.Seconds())
	return nil
}

// lastKey returns the last key of a page of a listing whose keys need no escape.
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

// compare computes the ratios: ours over each of the others'.
func (b *objectsBench) compare(all []peers.Peer) {
	for _, work := range b.works {
		ours := b.samples[sampleKey{peers.All[0].Name, work}]
		for _, p := range all[1:] {
			theirs := b.samples[sampleKey{p.Name, work}]
			b.AddRatio(work, measure.Median(ours)/measure.Median(theirs), fmt.Sprintf("stocktake over %s, medians of %d", p.Name, len(ours)))
		}
	}
}
