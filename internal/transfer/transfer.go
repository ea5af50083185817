// Package transfer moves objects between files of this machine and a bucket, and
// copies and deletes the objects below a prefix: many concurrently, with a progress
// bar.
package transfer

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

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
)

// workers is how many objects are transferred concurrently. The store commits
// writers that wait together with one sync, so that more writers cost less each.
const workers = 32

// An Item is the transfer of one object.
type Item struct {
	name string // for people
	size int64  // bytes
	do   func(context.Context) error
}

// Totals counts the results of many transfers.
type Totals struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Failed  int64 `json:"failed,omitempty"` // skipped for a reason on this machine
}

// All carries out transfers, with a progress bar of total bytes on a terminal (-1:
// unknown). If an Item fails for a reason on this machine, such as an unreadable
// file, All names it and skips it. Any other failure ends all transfers and is an
// [Error].
func All(ctx context.Context, w io.Writer, doing string, total int64, all iter.Seq2[Item, error]) (Totals, error) {
	bar := newBar(w, doing, total)
	var screen sync.Mutex // guards bar and the lines written between its updates
	var objects, bytes, failed atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan Item)
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
	for range workers {
		g.Go(func() error {
			for t := range next {
				err := t.do(ctx)
				if isLocal(err) && ctx.Err() == nil {
					failed.Add(1)
					screen.Lock()
					_ = bar.Clear()
					terminal.Printf(w, "left out: %s\n", err.Error())
					screen.Unlock()
					continue
				}
				if err != nil {
					return &Error{Doing: doing + " " + t.name, Err: err}
				}
				objects.Add(1)
				bytes.Add(t.size)
				screen.Lock()
				_ = bar.Add64(t.size) // display only
				screen.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	_ = bar.Close()
	return Totals{objects.Load(), bytes.Load(), failed.Load()}, err
}

// An Error reports a failed transfer.
type Error struct {
	Doing string // such as "upload photo.jpg"
	Err   error
}

// Error returns what was tried and what failed.
func (e *Error) Error() string {
	if _, ok := errors.AsType[*client.CallError](e.Err); ok {
		return e.Err.Error() // which says what was tried
	}
	return e.Doing + ": " + e.Err.Error()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Err returns an error if some transfers were skipped.
func (t Totals) Err() error {
	if t.Failed > 0 {
		return fmt.Errorf("%s left out", human.Many(t.Failed, "object"))
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
		progressbar.OptionSetSpinnerChangeInterval(0), // otherwise it draws from its own goroutine
	)
}
