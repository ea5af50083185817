package postgres_test

import (
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/testpostgres"
)

// server is the server of all tests here; it is nil without PostgreSQL. migrated is
// the address of a database that is up to date and never opened.
var (
	server   *testpostgres.Server
	migrated string
)

func TestMain(m *testing.M) {
	os.Exit(testpostgres.Main(m, func(s *testpostgres.Server) { server = s }, "max_connections=200"))
}

// need skips the test without PostgreSQL.
func need(t testing.TB) {
	t.Helper()
	if server == nil {
		t.Skip(testpostgres.ErrMissing)
	}
}

func parse(t testing.TB, address string) *pgxpool.Config {
	t.Helper()
	cfg, err := postgres.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func migrate(t testing.TB, address string) {
	t.Helper()
	if err := postgres.Migrate(t.Context(), parse(t, address), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

var template sync.Mutex

// database returns the address of a new database that is up to date.
func database(t testing.TB) string {
	t.Helper()
	need(t)
	template.Lock()
	defer template.Unlock()
	if migrated == "" {
		migrated = server.Database(t)
		migrate(t, migrated)
	}
	return server.Copy(t, migrated)
}

func open(t testing.TB, address string) *postgres.Catalog {
	t.Helper()
	c, err := postgres.Open(t.Context(), parse(t, address))
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
	need(t)
	catalogtest.Run(t, func(t *testing.T) catalogtest.Catalog { return open(t, database(t)) })
}
