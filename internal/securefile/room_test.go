package securefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/securefile/roomtest"
)

func TestFileRoom(t *testing.T) {
	roomtest.Run(t, func(t *testing.T) roomtest.Place {
		path := filepath.Join(t.TempDir(), "f")
		return roomtest.Place{
			Open: func() securefile.Room { return securefile.NewFile(path, 100) },
			Spoil: func() {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			Fail: func(room securefile.Room, n int) bool {
				room.(*securefile.File).FailStep(n)
				return n < securefile.FileSteps
			},
			Heal: func(room securefile.Room) { room.(*securefile.File).Heal() },
		}
	})
}

// Memory keeps the contract as far as one process can.
func TestMemoryRoom(t *testing.T) {
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
