package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
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
		// Unescaped, this name would contain parameters.
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
		c.AddConfiguration(t.Context(), catalogtest.Entry("photos", "daily"), &first, catalogtest.Holder, 1),
		c.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, path).Run(t.Context(), "r1"); err != nil {
		t.Error(err)
	}
}

// A document that Stocktake wrote in 2026, when an id could have a slash, is read
// and returned unchanged.
func TestOldDocument(t *testing.T) {
	document, err := os.ReadFile("testdata/document-2026.xml")
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
	const id = "every/thing & <more>"
	err = errors.Join(
		c.AddConfiguration(t.Context(), catalogtest.Entry("photos", id), nil, catalogtest.Holder, 1),
		c.SetDocument(t.Context(), "photos", id, string(document)),
	)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Document(t.Context(), "photos", id)
	if err != nil || !bytes.Equal(got, document) {
		t.Errorf("got %s, %v", got, err)
	}
	page, _, err := c.Documents(t.Context(), "photos", "", 10)
	if err != nil || len(page) != 1 || !bytes.Equal(page[0], document) {
		t.Errorf("listed %s, %v", page, err)
	}
	e, err := c.Configuration(t.Context(), "photos", id)
	if err != nil || e.Configuration.ID != id || e.Configuration.Filter.Prefix != "写真/ a&b<c>\t\r\n" || len(e.Configuration.OptionalFields) != 13 {
		t.Errorf("read as %+v, %v", e.Configuration, err)
	}
	if err := c.RemoveConfiguration(t.Context(), "photos", id); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Document(t.Context(), "photos", id); !errors.Is(err, stocktake.ErrNoSuchInventory) {
		t.Errorf("after it was removed: %v", err)
	}
}
