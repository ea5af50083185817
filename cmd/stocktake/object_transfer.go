package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake/internal/terminal"
)

// transferWorkers is how many objects are on their way at once. The store commits
// writers that wait together with one sync, so more of them cost less each.
const transferWorkers = 32

// A transfer is one object on its way.
type transfer struct {
	name string // for people
	size int64  // bytes
	do   func(context.Context) error
}

// transferred counts the results of many transfers.
type transferred struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Failed  int64 `json:"failed,omitempty"` // left out for a reason on this machine
}

// transferAll carries out transfers, with a progress bar of total bytes on a
// terminal (-1: not known). A transfer that fails for a reason on this machine,
// such as an unreadable file, is named and left out; any other failure ends all.
func transferAll(ctx context.Context, con console, doing string, total int64, all iter.Seq2[transfer, error]) (transferred, error) {
	bar := newBar(con.err, doing, total)
	var terminal sync.Mutex // guards bar and the lines written between its updates
	var objects, bytes, failed atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan transfer)
	g.Go(func() error {
		defer close(next)
		for t, err := range all {
			if err != nil {
				return err
			}
			select {
			case next <- t:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range transferWorkers {
		g.Go(func() error {
			for t := range next {
				err := t.do(ctx)
				if isLocal(err) && ctx.Err() == nil {
					failed.Add(1)
					terminal.Lock()
					_ = bar.Clear()
					sayf(con.err, "left out: %s\n", printable(err.Error()))
					terminal.Unlock()
					continue
				}
				if err != nil {
					return explain(err, doing+" "+t.name)
				}
				objects.Add(1)
				bytes.Add(t.size)
				terminal.Lock()
				_ = bar.Add64(t.size) // only a picture
				terminal.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	_ = bar.Close()
	return transferred{objects.Load(), bytes.Load(), failed.Load()}, err
}

// result returns the error of a verb some of whose transfers were left out.
func (t transferred) result() error {
	if t.Failed > 0 {
		return fmt.Errorf("%s left out", many(t.Failed, "object"))
	}
	return nil
}

// isLocal reports whether err is about a file on this machine.
func isLocal(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok
}

func newBar(w io.Writer, doing string, total int64) *progressbar.ProgressBar {
	if !terminal.Is(w) {
		w = io.Discard
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(doing),
		progressbar.OptionShowBytes(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0), // else it draws from a goroutine of its own
	)
}
