package lakeserver

import (
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

func TestSeed(t *testing.T) {
	dir := t.TempDir()
	const n = 1234
	if err := Seed(t.Context(), dir, Bucket, n); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	var listed int
	q := object.ListQuery{Bucket: Bucket, Max: 1000}
	for more := true; more; {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		listed += len(page.Entries)
		more, q.After = page.Truncated, page.NextAfter
	}
	if listed != n {
		t.Errorf("%d objects listed, want %d", listed, n)
	}
}

func TestSeedRefusesTooMuch(t *testing.T) {
	if err := Seed(t.Context(), t.TempDir(), Bucket, -1); err == nil {
		t.Error("no error for -1 objects")
	}
}
