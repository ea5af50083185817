package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) *sqlite.Catalog {
	t.Helper()
	c, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCatalog(t *testing.T) {
	catalogtest.Run(t, func(t *testing.T) catalogtest.Catalog {
		// A name that would be parameters if it were not escaped.
		return open(t, filepath.Join(t.TempDir(), "new", "a?mode=memory&b%20.db"))
	})
}

func TestSurvivesClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	c, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	first := catalogtest.Queued("photos", "daily", "r1")
	err = errors.Join(
		c.AddConfiguration(t.Context(), catalogtest.Entry("photos", "daily"), &first, 1),
		c.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, path).Run(t.Context(), "r1"); err != nil {
		t.Error(err)
	}
}
