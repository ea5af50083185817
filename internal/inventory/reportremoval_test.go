package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// reportRemover notes what it is asked for.
type reportRemover struct {
	calls    []bool // suspect
	warnings []string
	err      error
	hang     bool
}

func (f *reportRemover) RemoveReports(ctx context.Context, t inventory.RemovalJob) ([]string, error) {
	if t.Manifest != done.Manifest {
		return nil, fmt.Errorf("removing reports after the manifest %q", t.Manifest)
	}
	f.calls = append(f.calls, t.Suspect)
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.warnings, f.err
}

func TestTidiesAfterSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remover := &reportRemover{}
		w := newWorld(t, inventory.Options{ReportRemover: remover})
		w.serve()
		again := func() {
			t.Helper()
			if _, err := w.Run(t.Context(), "photos", "daily"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		w.put("photos", configuration("daily", daily))
		synctest.Wait()
		if len(remover.calls) != 1 || remover.calls[0] {
			t.Fatalf("after the first run: %v, want one call that suspects nothing", remover.calls)
		}
		w.runner.set(func(context.Context, inventory.Task) (inventory.Outcome, error) {
			return inventory.Outcome{}, errors.New("no such luck")
		})
		again()
		if len(remover.calls) != 1 {
			t.Errorf("reports removed after a failure: %v", remover.calls)
		}
		w.runner.set(nil)
		remover.err = errors.New("may not delete")
		again()
		if len(remover.calls) != 2 || !remover.calls[1] {
			t.Errorf("after a failure and a success: %v, want a call that suspects strays", remover.calls)
		}
		st := w.status("photos", "daily")
		if st.Last.State != stocktake.Succeeded || len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "may not delete") {
			t.Errorf("status %+v, last %+v", st, st.Last)
		}
		remover.err, remover.warnings = nil, []string{"a report is of the future"}
		again()
		if st := w.status("photos", "daily"); !slices.Equal(st.Warnings, remover.warnings) {
			t.Errorf("warnings %q, want %q", st.Warnings, remover.warnings)
		}
		remover.warnings = nil
		again()
		if st := w.status("photos", "daily"); len(st.Warnings) != 0 {
			t.Errorf("warnings %q, though all is well again", st.Warnings)
		}

		// A deletion does not wait for it.
		remover.hang = true
		again()
		if err := w.Delete(t.Context(), "photos", "daily"); err != nil {
			t.Fatal(err)
		}
		w.close()
	})
}
