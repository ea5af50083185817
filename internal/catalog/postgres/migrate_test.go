package postgres_test

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// Of several processes that start at once, one migrates, and all find the tables.
func TestMigrateAtOnce(t *testing.T) {
	need(t)
	address := server.Database(t)
	if _, err := postgres.Open(t.Context(), parse(t, address)); !errors.Is(err, postgres.ErrOlder) {
		t.Errorf("an empty database: %v, want %v", err, postgres.ErrOlder)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := postgres.Migrate(t.Context(), parse(t, address), slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	open(t, address)
	migrate(t, address) // again, with nothing to do
}

func exec(t *testing.T, address, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Error(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOtherVersions(t *testing.T) {
	for name, test := range map[string]struct {
		change string
		want   error
	}{
		"newer":                   {"INSERT INTO stocktake_version (version_id, is_applied) VALUES (1000, true)", postgres.ErrNewer},
		"a newer one of River":    {"INSERT INTO river_migration (line, version) VALUES ('main', 1000)", postgres.ErrNewer},
		"older":                   {"DELETE FROM stocktake_version WHERE version_id > 0", postgres.ErrOlder},
		"an older one of River":   {"DELETE FROM river_migration WHERE version = (SELECT max(version) FROM river_migration)", postgres.ErrOlder},
		"a database of something": {"DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE things (n INT)", postgres.ErrOlder},
	} {
		t.Run(name, func(t *testing.T) {
			address := database(t)
			exec(t, address, test.change)
			if _, err := postgres.Open(t.Context(), parse(t, address)); !errors.Is(err, test.want) {
				t.Errorf("open: %v, want %v", err, test.want)
			}
			if err := postgres.Migrate(t.Context(), parse(t, address), slog.New(slog.DiscardHandler)); test.want == postgres.ErrNewer && !errors.Is(err, test.want) {
				t.Errorf("migrate: %v, want %v", err, test.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{
		"", "x", "catalog.db", "mysql://a:secret@b/c", "postgres://", "postgres://db", "postgres://db/", "postgres://u:secret@db:port/n",
		"postgres://u:secret@db/n?pool_max_conns=1", "postgres://u:secret@db/n?pool_max_conns=0", "postgres://u:secret@db/n?sslmode=maybe", "postgres://u:se%zzcret@db/n", "host=db dbname=n", "postgres://u:secret@db/n?pool_max_conns=secret0",
	} {
		_, err := postgres.Parse(address)
		if !errors.Is(err, postgres.ErrAddress) {
			t.Errorf("%q: %v, want %v", address, err, postgres.ErrAddress)
			continue
		}
		if strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), ":secret") || strings.Contains(err.Error(), "zzcret") {
			t.Errorf("%q: the error shows the password: %v", address, err)
		}
	}
	cfg := parse(t, "postgres://u:secret@db.example.com:6432/name?statement_timeout=5000")
	if got := postgres.Name(cfg); got != "postgres://u@db.example.com:6432/name" {
		t.Errorf("the name is %s", got)
	}
	want := map[string]string{"application_name": "stocktake", "timezone": "UTC", "statement_timeout": "5000"}
	if p := cfg.ConnConfig.RuntimeParams; !maps.Equal(p, want) {
		t.Errorf("a connection begins with %v, want %v: PgBouncer refuses others that the address does not have", p, want)
	}
}

// Each session has our limits, in the pool and outside of it, except those that the
// address sets.
func TestLimits(t *testing.T) {
	address := database(t)
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	db := open(t, address+separator+"lock_timeout=7000").Database()
	conn, err := db.Connect(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Disconnect(t.Context(), conn, time.Minute)
	for name, want := range map[string]string{"statement_timeout": "1min", "lock_timeout": "7s", "idle_in_transaction_session_timeout": "20s", "TimeZone": "UTC"} {
		var got, pooled string
		if err := errors.Join(conn.QueryRow(t.Context(), "SHOW "+name).Scan(&got), db.Row(t.Context(), []any{&pooled}, "SHOW "+name)); err != nil {
			t.Fatal(err)
		}
		if got != want || pooled != want {
			t.Errorf("%s is %s, and %s in the pool, want %s", name, got, pooled, want)
		}
	}
}
