// Package storagetest is the contract of securefile.Storage as a test suite.
package storagetest

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/securefile"
)

// A Place is the place of one document, which any number of storages may share.
type Place struct {
	// Open opens another storage of the same document, as another process would.
	Open func() securefile.Storage

	// Spoil makes the document unreadable; nil: it cannot be.
	Spoil func()

	// Fail makes step n, from 0, of the next Update fail, and reports whether there is such a step;
	// nil: no step can fail. heal undoes it.
	Fail func(storage securefile.Storage, n int) (there bool)
	Heal func(storage securefile.Storage)
}

var errRefused = errors.New("the edit refuses")

// Run tests the contract of storages. place returns an empty place.
func Run(t *testing.T, place func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, Place){
		"Empty":      empty,
		"Update":     update,
		"Unchanged":  unchanged,
		"Refused":    refused,
		"OwnCopy":    ownCopy,
		"Seen":       seen,
		"AtOnce":     atOnce,
		"FirstOnce":  firstOnce,
		"Spoilt":     spoilt,
		"EveryFault": everyFault,
	} {
		t.Run(name, func(t *testing.T) { test(t, place(t)) })
	}
}

// put returns an edit that writes text.
func put(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

// increment counts in decimal.
func increment(data []byte) ([]byte, error) {
	n, err := strconv.Atoi("0" + string(data))
	return []byte(strconv.Itoa(n + 1)), err
}

func read(t *testing.T, r securefile.Storage) string {
	t.Helper()
	data, err := r.Read()
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// within waits until r reads a text that another storage has written.
func within(t *testing.T, r securefile.Storage, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		data, err := r.Read()
		if err == nil && string(data) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q, %v, want %q", data, err, want)
		}
	}
}

func empty(t *testing.T, p Place) {
	r := p.Open()
	if data, err := r.Read(); data != nil || err != nil {
		t.Errorf("%q, %v, want nothing", data, err)
	}
	if err := r.Confirmed(); err != nil {
		t.Error(err)
	}
	if r.String() == "" {
		t.Error("it has no name")
	}
	_, err := r.Update(func(data []byte) ([]byte, error) {
		if data != nil {
			t.Errorf("edit gets %q, want nil", data)
		}
		return nil, nil
	})
	if data, readErr := p.Open().Read(); err != nil || readErr != nil || data != nil {
		t.Errorf("no document was made of nothing: %v, %q, %v", err, data, readErr)
	}
}

func update(t *testing.T, p Place) {
	a, b := p.Open(), p.Open()
	for i, text := range []string{"one", "two", "a much longer text than before", "\x00\xff bytes"} {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		if _, err := from.Update(put(text)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, from); got != text {
			t.Errorf("the storage itself reads %q, want %q", got, text)
		}
		within(t, to, text)
	}
	if got := read(t, p.Open()); got != "\x00\xff bytes" {
		t.Errorf("a storage that is opened later reads %q", got)
	}
	if a.Writer() == "" {
		t.Error("the writer is not known")
	}
}

func unchanged(t *testing.T, p Place) {
	r := p.Open()
	first, err := r.Update(put("text"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Update(put("text"))
	if err != nil || again != first || r.Look() != first {
		t.Errorf("the same bytes: %v, seen %d, then %d and %d", err, first, again, r.Look())
	}
}

func refused(t *testing.T, p Place) {
	r := p.Open()
	if _, err := r.Update(put("text")); err != nil {
		t.Fatal(err)
	}
	before := r.Look()
	if _, err := r.Update(func([]byte) ([]byte, error) { return []byte("other"), errRefused }); !errors.Is(err, errRefused) {
		t.Errorf("%v, want %v", err, errRefused)
	}
	if got := read(t, r); got != "text" || r.Look() != before {
		t.Errorf("it reads %q after an edit that failed", got)
	}
	if got := read(t, p.Open()); got != "text" {
		t.Errorf("another reads %q after an edit that failed", got)
	}
}

// Changing the returned bytes does not change the document.
func ownCopy(t *testing.T, p Place) {
	r := p.Open()
	if _, err := r.Update(put("text")); err != nil {
		t.Fatal(err)
	}
	data, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	_, err = r.Update(func(data []byte) ([]byte, error) {
		same := bytes.Clone(data)
		clear(data)
		return same, nil
	})
	if got := read(t, r); err != nil || got != "text" {
		t.Errorf("%v, it reads %q", err, got)
	}
}

// Update returns the number of its own change, so that a change by another process directly
// after it is noticed.
func seen(t *testing.T, p Place) {
	a, b := p.Open(), p.Open()
	mine, err := a.Update(put("mine"))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Look(); got != mine {
		t.Errorf("Look says %d, Update has said %d", got, mine)
	}
	if _, err := b.Update(put("yours, and longer")); err != nil {
		t.Fatal(err)
	}
	within(t, a, "yours, and longer")
	if got := a.Look(); got <= mine {
		t.Errorf("Look says %d after %d and a change of another", got, mine)
	}
}

// No change is lost, however many callers make changes concurrently.
func atOnce(t *testing.T, p Place) {
	const storages, changes = 4, 8
	var wg sync.WaitGroup
	for range storages {
		r := p.Open()
		wg.Go(func() {
			for range changes {
				if _, err := r.Update(increment); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := read(t, p.Open()); got != strconv.Itoa(storages*changes) {
		t.Errorf("%s changes, want %d", got, storages*changes)
	}
}

// If several callers create the document concurrently, one of them succeeds, and all read its
// content.
func firstOnce(t *testing.T, p Place) {
	const storages = 6
	var wg sync.WaitGroup
	var got [storages]string
	for i := range storages {
		r := p.Open()
		wg.Go(func() {
			_, err := r.Update(func(data []byte) ([]byte, error) {
				if data == nil {
					data = []byte("made by " + strconv.Itoa(i))
				}
				got[i] = string(data)
				return data, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	made := read(t, p.Open())
	for i := range got {
		if got[i] != made || made == "" {
			t.Errorf("storage %d has %q, the document is %q", i, got[i], made)
		}
	}
}

// A document that cannot be read is an error, and is not overwritten.
func spoilt(t *testing.T, p Place) {
	if p.Spoil == nil {
		t.Skip("cannot be spoilt")
	}
	r := p.Open()
	if _, err := r.Update(put("text")); err != nil {
		t.Fatal(err)
	}
	p.Spoil()
	_, err := r.Update(func([]byte) ([]byte, error) {
		t.Error("a spoilt document is edited")
		return []byte("new"), nil
	})
	if err == nil {
		t.Error("no error")
	} else if len(err.Error()) < 20 {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
}

// Whichever step of a change fails, the document has either the old or the new content. After
// success it has the new one. The next change succeeds.
func everyFault(t *testing.T, p Place) {
	if p.Fail == nil {
		t.Skip("no step can fail")
	}
	r := p.Open()
	if _, err := r.Update(put("before")); err != nil {
		t.Fatal(err)
	}
	steps, kept := 0, 0
	for ; p.Fail(r, steps); steps++ {
		_, err := r.Update(put("after"))
		p.Heal(r)
		got := read(t, p.Open())
		if got != "after" && (err == nil || got != "before") {
			t.Errorf("step %d: %v, and the document is %q", steps, err, got)
		}
		if got == "before" {
			kept++
		}
		if _, err := r.Update(put("before")); err != nil {
			t.Fatalf("after step %d has failed: %v", steps, err)
		}
		within(t, r, "before")
	}
	if kept == 0 {
		t.Errorf("of %d steps none has kept a change from being made", steps)
	}
}
