package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testserver"
)

// Journal measures the journal at the speed of the store itself: its cost for
// a change, and a burst into one bucket while windows are cut.
func Journal(ctx context.Context, args []string) error {
	b := journalBench{Experiment: experiment.New("journal", "folder for the store, which is removed in the end")}
	clients := experiment.Set(b.Flags, "clients", "256", "writers, each waiting for its synced change", experiment.AtLeast(1))
	each := experiment.Set(b.Flags, "for", "2s", "how long each side of a pair is written", experiment.Positive)
	rounds := experiment.Set(b.Flags, "rounds", "7", "pairs with and without the journal; the median counts", experiment.AtLeast(1))
	burst := experiment.Set(b.Flags, "burst", "1m", "how long the burst takes", experiment.Positive)
	window := experiment.Set(b.Flags, "window", "1s", "length of the windows that are cut during the burst", experiment.Positive)
	size := experiment.Set(b.Flags, "size", "128", "bytes of an object", experiment.AtLeast(0))
	return b.Main(ctx, args, func(ctx context.Context) (err error) {
		b.body, b.window = pattern(*size), *window
		if b.s, err = store.Open(ctx, b.Data(), store.Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.s.Close()) }()
		for _, name := range []string{plainBucket, journalBucket} {
			if err := b.s.CreateBucket(ctx, journalWriter, object.NewBucket(name, testserver.AccountID, time.Now()), false); err != nil {
				return err
			}
		}
		if b.at, err = b.s.Journal().Subscribe(ctx, journalBucket, journalReader, ""); err != nil {
			return err
		}
		if err := b.pairs(ctx, *rounds, load.Load{Clients: *clients, For: *each}); err != nil {
			return err
		}
		return b.burst(ctx, load.Load{Clients: *clients, For: *burst})
	})
}

const journalReader = "bench"

// journalWriter makes the changes, with names as long as those of requests.
var journalWriter = object.Origin{Principal: testserver.AccountID, Request: "5C3D9175B6FC201293AD4890"}

type journalBench struct {
	*experiment.Experiment
	s      *store.Store
	body   []byte
	window time.Duration
	at     stocktake.JournalPosition // of the reader
	puts   int                       // made so far, in either bucket
}

// press puts objects under new keys, each durable before the next of its client.
func (b *journalBench) press(ctx context.Context, bucket string, l load.Load) (o load.Outcome, cpu time.Duration, err error) {
	before, err := measure.Self()
	if err != nil {
		return o, 0, err
	}
	first := b.puts
	o, err = l.Run(ctx, func(ctx context.Context, i int) error {
		p := object.Put{Bucket: bucket, Key: "objects/" + strconv.Itoa(first+i), Size: int64(len(b.body))}
		_, err := b.s.PutObject(ctx, journalWriter, p, bytes.NewReader(b.body))
		return err
	})
	if err != nil {
		return o, 0, err
	}
	b.puts += o.Requests
	after, err := measure.Self()
	return o, after - before, err
}

// pairs measures the cost of the journal for a change.
func (b *journalBench) pairs(ctx context.Context, rounds int, l load.Load) error {
	var cpu, rate []float64
	for round := range rounds {
		var perPut, perSecond [2]float64 // without, with
		for i := range 2 {
			with := (i + round) % 2
			bucket := []string{plainBucket, journalBucket}[with]
			o, used, err := b.press(ctx, bucket, l)
			if err != nil {
				return err
			}
			perPut[with], perSecond[with] = used.Seconds()/float64(o.Requests), o.PerSecond()
			b.Add(fmt.Sprintf("Put/%s/size=%d/clients=%d", bucket, len(b.body), l.Clients), o.Took/time.Duration(o.Requests),
				measure.Figure{Value: o.PerSecond(), Unit: "changes/s"}, measure.Figure{Value: perPut[with] * 1e6, Unit: "cpu-us/change"}, experiment.P50(o), experiment.P99(o))
		}
		cpu, rate = append(cpu, perPut[1]/perPut[0]), append(rate, perSecond[1]/perSecond[0])
	}
	b.AddRatio("journal-cpu", measure.Median(cpu), fmt.Sprintf("processor time of a change in the store, client included, with a journal over without, median of %d pairs", rounds))
	b.AddRatio("journal-rate", measure.Median(rate), "changes a second, likewise")
	return b.drain(ctx)
}

// drain publishes the content of the journal.
func (b *journalBench) drain(ctx context.Context) error {
	cut, err := b.s.Journal().Cut(ctx, journalBucket, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	b.at = cut
	return b.s.Journal().Published(ctx, journalBucket, journalReader, cut)
}

// A cutter reads the windows of a burst.
type cutter struct {
	windows, changes int
	slowest          time.Duration // from the end of a window to its publication
	most             int           // changes of a window
	last             uint64        // sequence
	bytes            int64         // of the journal, at most
	peaks            []int64       // resident memory by window
}

// burst writes into one bucket as fast as the store goes while windows are cut,
// read and published. Each change must be in exactly one.
func (b *journalBench) burst(ctx context.Context, l load.Load) error {
	if err := measure.ResetPeak(os.Getpid()); err != nil {
		return err
	}
	var c cutter
	done := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		tick := time.NewTicker(b.window)
		defer tick.Stop()
		for last := false; !last; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			case <-done:
				last = true
				time.Sleep(2 * time.Millisecond) // until the last changes are before now
			}
			if err := b.cut(ctx, &c); err != nil {
				return err
			}
		}
		return nil
	})
	var o load.Outcome
	var used time.Duration
	g.Go(func() (err error) {
		defer close(done)
		o, used, err = b.press(ctx, journalBucket, l)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if c.changes != o.Requests {
		return fmt.Errorf("%d changes were made, the windows have %d", o.Requests, c.changes)
	}
	b.Add(fmt.Sprintf("Burst/clients=%d/window=%v", l.Clients, b.window), o.Took/time.Duration(o.Requests),
		measure.Figure{Value: o.PerSecond(), Unit: "changes/s"}, measure.Figure{Value: float64(used.Microseconds()) / float64(o.Requests), Unit: "cpu-us/change"},
		experiment.P50(o), experiment.P99(o), experiment.Mebibytes(c.peaks[len(c.peaks)-1]))
	b.Add(fmt.Sprintf("Windows/length=%v", b.window), c.slowest,
		measure.Figure{Value: float64(c.windows), Unit: "windows"}, measure.Figure{Value: float64(c.most), Unit: "changes-at-most"},
		measure.Figure{Value: float64(c.bytes) / (1 << 20), Unit: "MiB-journal-at-most"})
	third := c.peaks[len(c.peaks)/3]
	b.AddRatio("burst-memory", float64(c.peaks[len(c.peaks)-1])/float64(third), "peak of resident memory at the end of the burst over that after its first third")
	return nil
}

// cut makes one window: it writes the rows nowhere, as a report does to a file.
func (b *journalBench) cut(ctx context.Context, c *cutter) error {
	start := time.Now()
	j := b.s.Journal()
	stat, err := j.Stat(ctx, journalBucket)
	if err != nil {
		return err
	}
	cut, err := j.Cut(ctx, journalBucket, start.UnixMilli())
	if err != nil {
		return err
	}
	n := 0
	gaps, err := j.Changes(ctx, journalBucket, "", b.at, cut, func(batch []journal.Change) error {
		for i := range batch {
			if batch[i].Sequence <= c.last {
				return fmt.Errorf("change %d after %d", batch[i].Sequence, c.last)
			}
			c.last = batch[i].Sequence
			if _, err := fmt.Fprintf(io.Discard, "%s,%d,%d\n", batch[i].Record.Key, batch[i].Sequence, batch[i].Time); err != nil {
				return err
			}
		}
		n += len(batch)
		return nil
	})
	if err == nil && len(gaps) > 0 {
		err = fmt.Errorf("the burst was too much for the journal: gaps %+v", gaps)
	}
	if err == nil {
		err = j.Published(ctx, journalBucket, journalReader, cut)
	}
	if err != nil {
		return err
	}
	b.at = cut
	c.windows++
	c.changes += n
	c.most, c.bytes, c.slowest = max(c.most, n), max(c.bytes, stat.Bytes), max(c.slowest, time.Since(start))
	used, err := measure.Of(os.Getpid())
	c.peaks = append(c.peaks, used.PeakRSS)
	return err
}
