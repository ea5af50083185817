package securefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/securefile/storagetest"
)

func TestFileStorage(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storagetest.Place {
		path := filepath.Join(t.TempDir(), "f")
		return storagetest.Place{
			Open: func() securefile.Storage { return securefile.NewFile(path, 100) },
			Spoil: func() {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			Fail: func(storage securefile.Storage, n int) bool {
				storage.(*securefile.File).FailStep(n)
				return n < securefile.FileSteps
			},
			Heal: func(storage securefile.Storage) { storage.(*securefile.File).Heal() },
		}
	})
}

// What a killed process left next to a file is removed by the next update, and nothing else is.
func TestUnfinishedIsRemoved(t *testing.T) {
	dir := t.TempDir()
	kept := []string{".g-1-2", ".g-a", ".h-1"}
	for _, name := range append([]string{".g-1234567"}, kept...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	room := securefile.NewFile(filepath.Join(dir, "g"), 100)
	if _, err := room.Update(func([]byte) ([]byte, error) { return []byte("x"), nil }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := append(kept, "g", "g.lock"); !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

// Memory keeps the contract as far as one process can.
func TestMemoryStorage(t *testing.T) {
	m := new(securefile.Memory)
	broken := errors.New("broken")
	if _, err := m.Update(func([]byte) ([]byte, error) { return []byte("x"), broken }); !errors.Is(err, broken) || m.Look() != 0 {
		t.Errorf("%v, %d changes", err, m.Look())
	}
	seen, err := m.Update(func(data []byte) ([]byte, error) { return append(data, 'a'), nil })
	data, readErr := m.Read()
	if err := errors.Join(err, readErr); err != nil || string(data) != "a" || m.Look() != seen || seen != 1 {
		t.Errorf("%v, %q, %d, %d", err, data, seen, m.Look())
	}
}
