// Package ordered runs the parts of a task on several goroutines and returns their
// results in the order of the parts.
package ordered

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// ahead is how many results of one part wait until those of the parts before
// have been taken.
const ahead = 4

// Run calls work for the parts 0 to n-1 on so many goroutines, at least one, and
// take on the caller's goroutine with each value that work emits: those of part
// 0 in the order in which they were emitted, then those of part 1, and so on.
// Only a few values of each part that is worked on wait, so memory is bounded
// however much a part emits.
//
// The first error of work or take ends everything and is returned; emit then
// returns an error, which work returns. All goroutines have ended when Run
// returns.
func Run[T any](ctx context.Context, goroutines, n int, work func(ctx context.Context, part int, emit func(T) error) error, take func(T) error) error {
	goroutines = max(min(goroutines, n), 1)
	group, ctx := errgroup.WithContext(ctx)
	type part struct {
		number  int
		results chan T
	}
	begun := make(chan part)               // for the workers
	queue := make(chan part, 2*goroutines) // the same, for the caller
	group.Go(func() error {
		defer close(begun)
		defer close(queue)
		for i := range n {
			p := part{i, make(chan T, ahead)}
			select {
			case queue <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case begun <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range goroutines {
		group.Go(func() error {
			for p := range begun {
				err := work(ctx, p.number, func(v T) error {
					select {
					case p.results <- v:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				if err != nil {
					return err
				}
				close(p.results)
			}
			return nil
		})
	}
	failed := make(chan error, 1)
	group.Go(func() error { return <-failed }) // so that an error of take ends the workers
	err := func() error {
		for p := range queue {
			for {
				var v T
				var ok bool
				select {
				case v, ok = <-p.results:
				case <-ctx.Done():
					return ctx.Err()
				}
				if !ok {
					break
				}
				if err := take(v); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	}()
	failed <- err
	return group.Wait()
}
