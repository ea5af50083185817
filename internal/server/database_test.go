package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/stocktaketest"
)

var masterKey = []byte("0123456789abcdef0123456789abcdef")

// shared returns a change of settings that makes servers keep their configurations in one
// database.
func shared(address string) stocktaketest.Option {
	return func(c *server.Config) {
		c.Database, c.Migrate, c.Seed, c.ClockControl = address, true, "", false
		c.RootKey = server.AccessKey{ID: "LTAIshared", Secret: "the secret of all"}
		c.MasterKey = masterKey
	}
}

// Two servers on one database form one service: each returns the configurations that were put
// at the other one, and sees its runs.
func TestDatabase(t *testing.T) {
	pg := testpostgres.Start(t)
	address := pg.Database(t)
	far := stocktaketest.New(t, stocktaketest.WithBuckets("lake-photos", "lake-reports"))
	put(t, far, "lake-photos", "a", "b", "c")
	a := stocktaketest.New(t, shared(address), stocktaketest.WithBuckets("photos"), withStores(lake(t, far)))
	b := stocktaketest.New(t, shared(address), withStores(lake(t, far)))

	run := firstRun(t, a, "lake-photos", configuration(a, "daily", "lake-reports"))
	if run.State != stocktake.Succeeded || run.Listed != 3 {
		t.Fatalf("%+v", run)
	}
	runs, err := b.Inventories().Runs(t.Context(), "lake-photos", "daily")
	if err != nil || len(runs) != 1 || runs[0].ID != run.ID || runs[0].State != stocktake.Succeeded {
		t.Fatalf("the other server has %+v, %v", runs, err)
	}
	if err := b.Inventories().Put(t.Context(), "lake-photos", configuration(a, "daily", "lake-reports")); !errors.Is(err, stocktake.ErrInventoryExists) {
		t.Errorf("the same id at the other server: %v", err)
	}
	again, err := b.Inventories().Run(t.Context(), "lake-photos", "daily")
	if err != nil {
		t.Fatal(err)
	}
	if again, err = a.Inventories().Wait(t.Context(), again, nil); err != nil || again.State != stocktake.Succeeded {
		t.Errorf("a run of the other server ended %+v, %v", again, err)
	}
	for _, tt := range [][2]string{{"photos", "lake-reports"}, {"lake-photos", "photos"}} {
		err := a.Inventories().Put(t.Context(), tt[0], configuration(a, "own", tt[1]))
		if err == nil || !strings.Contains(err.Error(), "embedded store") {
			t.Errorf("%s to %s, one of which belongs to a server alone: %v", tt[0], tt[1], err)
		}
	}
	if err := a.Inventories().Delete(t.Context(), "lake-photos", "daily"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Inventories().Get(t.Context(), "lake-photos", "daily"); !errors.Is(err, stocktake.ErrNoSuchInventory) {
		t.Errorf("after it was deleted at the other server: %v", err)
	}
}

// A server refuses a database with tables of another version and settings that do not work with
// a database. It shows no password.
func TestDatabaseRefused(t *testing.T) {
	key := server.AccessKey{ID: "LTAIshared", Secret: "the secret of all"}
	for name, cfg := range map[string]server.Config{
		"database":            {Database: "mysql://u:hunter2@db/n", MasterKey: masterKey},
		"master-key":          {Database: "postgres://u:hunter2@db/n", RootKey: key},
		"accounts-max-age":    {Database: "postgres://u:hunter2@db/n", MasterKey: masterKey, AccountsMaxAge: time.Millisecond},
		"webhook-secret-file": {Database: "postgres://u:hunter2@db/n", MasterKey: masterKey, Webhooks: map[string]string{"ops": "https://h.example.com"}},
		"migrate":             {Migrate: true},
		"seed":                {Database: "postgres://u:hunter2@db/n", MasterKey: masterKey, Seed: "x"},
		"clock-control":       {Database: "postgres://u:hunter2@db/n", MasterKey: masterKey, ClockControl: true},
	} {
		cfg.Data = t.TempDir()
		err := cfg.Validate()
		bad, ok := errors.AsType[*server.SettingError](err)
		if !ok || bad.Setting != name || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}

	pg := testpostgres.Start(t)
	cfg := server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", RootKey: key, MasterKey: masterKey, Database: pg.Database(t), Log: slog.New(slog.DiscardHandler)}
	if _, err := server.New(t.Context(), cfg); !errors.Is(err, postgres.ErrOlder) {
		t.Errorf("an empty database: %v, want %v", err, postgres.ErrOlder)
	}
	if err := server.Migrate(t.Context(), cfg.Database, cfg.Log); err != nil {
		t.Fatal(err)
	}
	if err := server.CheckDatabase(t.Context(), cfg.Database, cfg.Log); err != nil {
		t.Error(err)
	}
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	// A migration that this version cannot work with ends a running server.
	conn, err := pgx.Connect(t.Context(), cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "UPDATE stocktake_oldest SET version = 1000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context()); !errors.Is(err, postgres.ErrOutdated) {
		t.Errorf("with tables for newer versions only it ends with %v, want %v", err, postgres.ErrOutdated)
	}
}

// A server reports at its start, and later in its readiness, that the database has too few
// connections for it, and how to correct that.
func TestDatabaseWithFewConnections(t *testing.T) {
	pg := testpostgres.Start(t)
	address := pg.Database(t)
	if err := server.Migrate(t.Context(), address, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.WithoutCancel(t.Context()))
	exec := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE ROLE app LOGIN CONNECTION LIMIT 3; GRANT ALL ON ALL TABLES IN SCHEMA public TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app`)
	own := strings.Replace(address, "postgres@", "app@", 1)
	cfg := server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", RootKey: server.AccessKey{ID: "LTAIshared", Secret: "the secret of all"}, MasterKey: masterKey, Database: own, Log: slog.New(slog.DiscardHandler)}
	if _, err := server.New(t.Context(), cfg); !errors.Is(err, postgres.ErrFewConnections) {
		t.Fatalf("with a role that may have three: %v, want %v", err, postgres.ErrFewConnections)
	}

	exec(`ALTER ROLE app CONNECTION LIMIT 20`)
	s := stocktaketest.New(t, shared(own), func(c *server.Config) { c.Migrate = false })
	ready := func() (int, string) {
		resp, err := http.Get(s.Endpoint + "/-/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	await := func(status int, words string) {
		t.Helper()
		for begun := time.Now(); ; {
			code, said := ready()
			if code == status && strings.Contains(said, words) {
				return
			}
			if time.Since(begun) > 2*time.Minute {
				t.Fatalf("readyz is %d %q, want %d and %q", code, said, status, words)
			}
			time.Sleep(10 * time.Millisecond) // until the server has noticed
		}
	}
	await(200, "ok")
	exec(`ALTER ROLE app CONNECTION LIMIT 0`)
	exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND query LIKE 'LISTEN%'`) // the connections of the pool stay
	await(503, "CONNECTION LIMIT")
	exec(`ALTER ROLE app CONNECTION LIMIT 20`)
	await(200, "ok")
}
