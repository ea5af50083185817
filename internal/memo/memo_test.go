package memo_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stocktake/stocktake/internal/memo"
)

// TestGet checks that a document is parsed once, that an error is not remembered,
// and that the caller may reuse the bytes of the document.
func TestGet(t *testing.T) {
	calls := 0
	m := memo.New(10, func(doc []byte) (int, error) {
		calls++
		return strconv.Atoi(string(doc))
	})
	doc := []byte("17")
	for range 3 {
		if n, err := m.Get(doc); n != 17 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	copy(doc, "23")
	if n, err := m.Get(doc); n != 23 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if calls != 2 {
		t.Errorf("parsed %d times, want 2", calls)
	}
	for range 2 {
		if _, err := m.Get([]byte("x")); !errors.Is(err, strconv.ErrSyntax) {
			t.Errorf("got %v", err)
		}
	}
	if calls != 4 {
		t.Errorf("parsed %d times, want 4", calls)
	}
}

// TestMax checks that a full Memo forgets one document for a new one, not all.
func TestMax(t *testing.T) {
	const max = 8
	parsed := map[string]int{}
	m := memo.New(max, func(doc []byte) (string, error) {
		parsed[string(doc)]++
		return string(doc), nil
	})
	get := func(i int) {
		t.Helper()
		if v, err := m.Get(fmt.Append(nil, i)); v != fmt.Sprint(i) || err != nil {
			t.Fatalf("got %q, %v", v, err)
		}
	}
	for i := range max + 1 {
		get(i)
	}
	get(max) // the newest is remembered
	if parsed[fmt.Sprint(max)] != 1 {
		t.Error("the newest document was forgotten")
	}
	clear(parsed)
	for i := range max { // one of the others is gone
		get(i)
	}
	if len(parsed) == 0 {
		t.Error("more documents are remembered than were allowed")
	}
}

func TestConcurrentUse(t *testing.T) {
	m := memo.New(4, func(doc []byte) (string, error) { return string(doc), nil })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				want := fmt.Sprint((i + g) % 9)
				if v, err := m.Get([]byte(want)); v != want || err != nil {
					t.Errorf("got %q, %v, want %q", v, err, want)
				}
			}
		})
	}
	wg.Wait()
}
