package securefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
)

// counter returns a document that holds a number.
func counter(path string, failed func(error)) *Document[int] {
	return &Document[int]{Storage: NewFile(path, 100), Failed: failed, Parse: func(data []byte) (*int, error) {
		n, err := 0, error(nil)
		if data != nil {
			n, err = strconv.Atoi(string(data))
		}
		return &n, err
	}}
}

func increment(data []byte) ([]byte, error) {
	n, err := strconv.Atoi("0" + string(data))
	return []byte(strconv.Itoa(n + 1)), err
}

// What one process changes is in force for another as soon as Update returns,
// however often the other looks.
func TestDocumentIsInForceAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	failed := func(err error) { t.Error(err) }
	writer, reader := counter(path, failed), counter(path, failed)
	for _, d := range []*Document[int]{writer, reader} {
		if err := d.Load(); err != nil {
			t.Fatal(err)
		}
	}
	var least atomic.Int64 // what Update has returned for
	stop := make(chan struct{})
	done := make(chan error, 2)
	for range 2 {
		go func() {
			for {
				want := least.Load()
				if got := *reader.Current(); int64(got) < want {
					done <- errors.New("read " + strconv.Itoa(got) + " after " + strconv.FormatInt(want, 10))
					return
				}
				select {
				case <-stop:
					done <- nil
					return
				default:
					runtime.Gosched()
				}
			}
		}()
	}
	for i := range int64(30) {
		if err := writer.Update(increment); err != nil {
			t.Fatal(err)
		}
		if got := *writer.Current(); int64(got) != i+1 {
			t.Errorf("the writer itself reads %d, want %d", got, i+1)
		}
		least.Store(i + 1)
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Two that change a document do not lose each other's changes, and an edit that
// changes nothing, or fails, writes nothing.
func TestDocumentUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a, b := counter(path, nil), counter(path, nil)
	for range 5 {
		if err := errors.Join(a.Update(increment), b.Update(increment)); err != nil {
			t.Fatal(err)
		}
	}
	if got := *a.Current(); got != 10 {
		t.Errorf("%d, want 10", got)
	}
	a.Storage.(*File).Replace = func(string, []byte) error { return errBroken }
	if err := a.Update(func(data []byte) ([]byte, error) { return data, nil }); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
	for name, edit := range map[string]func([]byte) ([]byte, error){
		"write fails": increment,
		"edit fails":  func([]byte) ([]byte, error) { return nil, errBroken },
		"no document": func([]byte) ([]byte, error) { return []byte("x"), nil },
	} {
		if err := a.Update(edit); err == nil || *a.Current() != 10 {
			t.Errorf("%s: %v, %d", name, err, *a.Current())
		}
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, []byte("10")) {
		t.Errorf("%q, %v", data, err)
	}
}

// A document without a file lives in memory.
func TestDocumentInMemory(t *testing.T) {
	d := counter("", nil)
	d.Storage = new(Memory)
	if err := d.Load(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Update(increment), d.Update(increment)); err != nil || *d.Current() != 2 {
		t.Errorf("%v, %d", err, *d.Current())
	}
}

func BenchmarkDocumentCurrent(b *testing.B) {
	d := counter(filepath.Join(b.TempDir(), "f"), nil)
	if err := d.Load(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Current()
	}
}

// A file that is lost while a process runs is not taken for an empty document.
func TestDocumentThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var failures []error
	d := counter(path, func(err error) { failures = append(failures, err) })
	if err := d.Load(); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(increment); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.checked.Store(nil)
	for range 2 {
		if got := *d.Current(); got != 1 {
			t.Errorf("the document is %d, want what it was", got)
		}
	}
	if len(failures) != 1 || !errors.Is(failures[0], ErrGone) {
		t.Errorf("failures %v, want one %v", failures, ErrGone)
	}
	if err := d.Update(increment); !errors.Is(err, ErrGone) {
		t.Errorf("update: %v, want %v", err, ErrGone)
	}
	if err := os.WriteFile(path, []byte("7"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.checked.Store(nil)
	if got := *d.Current(); got != 7 {
		t.Errorf("the file that was put back is read as %d", got)
	}
}
