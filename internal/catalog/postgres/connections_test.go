package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/catalog/relational"
	"github.com/stocktake/stocktake/internal/object"
)

// as returns the address of a database for another role.
func as(t testing.TB, address, role string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

// occupy makes n connections that stay until the test ends, or until leave is called.
func occupy(t testing.TB, address string, n int) (leave func()) {
	t.Helper()
	var all []*pgx.Conn
	leave = func() {
		for _, c := range all {
			postgres.Disconnect(context.Background(), c, time.Minute)
		}
		all = nil
	}
	t.Cleanup(leave)
	for range n {
		c, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return leave
}

// A process that cannot have the connections that it needs is refused with the limit
// to correct. If it can have some, but not all that it would open, it opens fewer.
func TestFit(t *testing.T) {
	need(t)
	address := server.Database(t)
	exec(t, address, `CREATE ROLE unlimited LOGIN; CREATE ROLE three LOGIN CONNECTION LIMIT 3; CREATE ROLE eight LOGIN CONNECTION LIMIT 8;
		CREATE ROLE crowded LOGIN CONNECTION LIMIT 17; CREATE ROLE zero LOGIN CONNECTION LIMIT 0`)
	narrow := server.Database(t)
	exec(t, narrow, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' CONNECTION LIMIT 5'; END $$`)
	occupy(t, as(t, address, "crowded"), 5)
	for name, test := range map[string]struct {
		address string
		pool    int32    // afterwards; 0: it is refused
		words   []string // of the warnings, or the error
	}{
		"enough":                  {as(t, address, "unlimited"), 10, nil},
		"a role with three":       {as(t, address, "three"), 0, []string{"the role three allows 3", "at least 6", "up to 14", "ALTER ROLE"}},
		"a role with none":        {as(t, address, "zero"), 0, []string{"ALTER ROLE"}},
		"a role with eight":       {as(t, address, "eight"), 4, []string{"the role eight allows 8", "14"}},
		"a role that others use":  {as(t, address, "crowded"), 10, []string{"the role crowded allows 17", "others use 5"}},
		"a database with five":    {as(t, narrow, "unlimited"), 0, []string{"allows 5", "ALTER DATABASE"}},
		"superuser, who has both": {narrow, 10, nil},
		"a pool larger than all":  {as(t, address, "unlimited") + "&pool_max_conns=300", 193, []string{"PostgreSQL allows 197", "max_connections"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := parse(t, test.address)
			warnings, err := postgres.Fit(t.Context(), cfg, 4)
			said := strings.Join(warnings, "\n")
			if test.pool == 0 {
				if !errors.Is(err, postgres.ErrFewConnections) {
					t.Fatalf("%v, want %v", err, postgres.ErrFewConnections)
				}
				said = err.Error()
			} else if err != nil || cfg.MaxConns != test.pool {
				t.Fatalf("a pool of %d, %v; want %d", cfg.MaxConns, err, test.pool)
			}
			for _, w := range test.words {
				if !strings.Contains(said, w) {
					t.Errorf("%q does not contain %q", said, w)
				}
			}
			if (said == "") != (test.words == nil) {
				t.Errorf("it says %q", said)
			}
		})
	}
}

// A server that has no connection left for the process refuses it at the start, and
// takes it in when others have left.
func TestFitWaits(t *testing.T) {
	need(t)
	address := server.Database(t)
	role := "role" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", ""))
	exec(t, address, "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 8")
	leave := occupy(t, as(t, address, role), 5)
	_, err := postgres.Fit(t.Context(), parse(t, as(t, address, role)), 4)
	if !errors.Is(err, postgres.ErrFewConnections) || !strings.Contains(err.Error(), ": 3 at the same time") {
		t.Errorf("with three left: %v, want %v", err, postgres.ErrFewConnections)
	}
	leave()
	if _, err = postgres.Fit(t.Context(), parse(t, as(t, address, role)), 4); err != nil {
		t.Errorf("after they have left: %v", err)
	}
}

// A database that refuses writes is told from one that takes them.
func TestWritable(t *testing.T) {
	address := database(t)
	db := open(t, address).Database()
	if err := db.Writable(t.Context()); err != nil {
		t.Error(err)
	}
	name := parse(t, address).ConnConfig.Database
	exec(t, address, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	if err := open(t, address).Database().Writable(t.Context()); !errors.Is(err, postgres.ErrReadOnly) {
		t.Errorf("%v, want %v", err, postgres.ErrReadOnly)
	}
}

// Every way to query a database that has no connection left reports what to correct,
// until a connection is made again.
func TestRefused(t *testing.T) {
	address := database(t)
	role := "role" + strings.ToLower(t.Name())
	exec(t, address, "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 4; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+role)
	db := open(t, as(t, address, role)).Database()
	leave := occupy(t, as(t, address, role), 3)
	if err := db.Refused(); err != nil {
		t.Errorf("before a connection was refused: %v", err)
	}
	held, err := db.Pool().Acquire(t.Context()) // the last one
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"Transact": func() error {
			return db.Transact(t.Context(), func(context.Context, postgres.Tx) error { return nil })
		},
		"Rows": func() error {
			return db.Rows(t.Context(), "SELECT 1", func(relational.Scanner) error { return nil })
		},
		"Connect": func() error {
			_, err := db.Connect(t.Context(), time.Minute)
			return err
		},
	} {
		if err := ask(); !errors.Is(err, object.ErrUnavailable) || !strings.Contains(err.Error(), "ALTER ROLE") {
			t.Errorf("%s: %v, want object.ErrUnavailable and what to correct", name, err)
		}
	}
	if err := db.Refused(); err == nil || !strings.Contains(err.Error(), "ALTER ROLE") || strings.Contains(err.Error(), role) {
		t.Errorf("Refused returns %v", err)
	}
	leave()
	held.Release()
	for { // the server counts a session until its process has ended
		conn, err := db.Connect(t.Context(), time.Minute)
		if err == nil {
			postgres.Disconnect(t.Context(), conn, time.Minute)
			break
		}
		if !errors.Is(err, object.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if err := db.Refused(); err != nil {
		t.Errorf("after a connection was made: %v", err)
	}
}
