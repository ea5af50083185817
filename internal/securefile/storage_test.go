package securefile_test

import (
	"errors"
	"os"
	"path/filepath"
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
