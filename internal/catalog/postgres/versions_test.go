package postgres_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// A migration names the running servers of earlier versions, and no others.
func TestOlderServers(t *testing.T) {
	address := database(t)
	exec(t, address, `INSERT INTO processes (id, host, slots, started, roles, version, tables, seen)
		SELECT n, n, 1, 0, 'api,worker', 'v0.9', CASE n WHEN 'current' THEN 1000 ELSE 0 END, extract(epoch FROM clock_timestamp())::bigint * 1000000 - CASE n WHEN 'ended' THEN 60000000 ELSE 0 END
		FROM unnest(ARRAY['former', 'current', 'ended']) n`)
	check := func(what, said string) {
		t.Helper()
		if n := strings.Count(said, "earlier version"); n != 1 || !strings.Contains(said, "machine=former release=v0.9 roles=\"[api worker]\"") {
			t.Errorf("%s logs %s", what, said)
		}
	}
	var log bytes.Buffer
	if err := postgres.WarnOlder(t.Context(), parse(t, address), slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	check("a check", log.String())

	// As with tables of the version before.
	exec(t, address, `DELETE FROM processes WHERE id = 'current'; ALTER TABLE processes DROP COLUMN tables; DROP TABLE stocktake_oldest;
		ALTER TABLE store_shares DROP COLUMN needs_rate, DROP COLUMN needs_places; DELETE FROM stocktake_version WHERE version_id >= 12`)
	log.Reset()
	if err := postgres.Migrate(t.Context(), parse(t, address), slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	check("a migration", log.String())
	open(t, address)
}

// A process whose tables are changed while it runs is told whether it can continue.
func TestCheckTables(t *testing.T) {
	for name, test := range map[string]struct {
		change string
		remark string
		err    error
	}{
		"as it knows them":       {"SELECT 1", "", nil},
		"newer":                  {"INSERT INTO stocktake_version (version_id, is_applied) VALUES (1000, true)", "migrated to version 1000", nil},
		"newer and incompatible": {"INSERT INTO stocktake_version (version_id, is_applied) VALUES (1000, true); UPDATE stocktake_oldest SET version = 1000", "", postgres.ErrOutdated},
		"older":                  {"DELETE FROM stocktake_version WHERE version_id > 11; DROP TABLE stocktake_oldest", "", postgres.ErrOlder},
		"a version older":        {"DELETE FROM stocktake_version WHERE version_id > 11", "", postgres.ErrOlder},
	} {
		t.Run(name, func(t *testing.T) {
			address := database(t)
			db := open(t, address).Database()
			exec(t, address, test.change)
			remark, err := db.CheckTables(t.Context())
			if !errors.Is(err, test.err) || (remark == "") != (test.remark == "") || !strings.Contains(remark, test.remark) {
				t.Errorf("%q, %v; want %q, %v", remark, err, test.remark, test.err)
			}
		})
	}
}
