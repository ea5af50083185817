package ordered_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake/internal/ordered"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What parts emit comes in order, however many of them are worked on and however
// much each emits.
func TestOrder(t *testing.T) {
	for _, goroutines := range []int{0, 1, 3, 100} {
		for _, n := range []int{0, 1, 2, 17} {
			type value struct{ part, i int }
			var got []value
			err := ordered.Run(t.Context(), goroutines, n, func(_ context.Context, part int, emit func(value) error) error {
				for i := range part * 3 {
					if err := emit(value{part, i}); err != nil {
						return err
					}
				}
				return nil
			}, func(v value) error {
				got = append(got, v)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			k := 0
			for part := range n {
				for i := range part * 3 {
					if k >= len(got) || got[k] != (value{part, i}) {
						t.Fatalf("%d goroutines, %d parts: %v", goroutines, n, got)
					}
					k++
				}
			}
			if k != len(got) {
				t.Fatalf("%d values, want %d", len(got), k)
			}
		}
	}
}

// An error of a part, of the caller or of the context ends everything.
func TestErrors(t *testing.T) {
	boom := errors.New("boom")
	ctx, cancel := context.WithCancelCause(t.Context())
	for name, run := range map[string]func() error{
		"work": func() error {
			return ordered.Run(t.Context(), 3, 100, func(_ context.Context, part int, emit func(int) error) error {
				if part == 7 {
					return boom
				}
				return emit(part)
			}, func(int) error { return nil })
		},
		"take": func() error {
			return ordered.Run(t.Context(), 3, 100, func(_ context.Context, _ int, emit func(int) error) error {
				for i := 0; ; i++ { // until emit fails
					if err := emit(i); err != nil {
						return err
					}
				}
			}, func(i int) error {
				if i == 50 {
					return boom
				}
				return nil
			})
		},
		"context": func() error {
			err := ordered.Run(ctx, 2, 100, func(ctx context.Context, part int, emit func(int) error) error {
				if part == 3 {
					cancel(boom)
					<-ctx.Done()
					return ctx.Err()
				}
				return emit(part)
			}, func(int) error { return nil })
			if errors.Is(err, context.Canceled) {
				return boom
			}
			return err
		},
	} {
		if err := run(); !errors.Is(err, boom) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
