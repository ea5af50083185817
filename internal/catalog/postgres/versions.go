package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrOutdated means that the tables were changed, while a process used them, to a
// version that it cannot work with.
var ErrOutdated = errors.New("the tables of the database were migrated by a newer version of stocktake, which earlier versions cannot work with: run that version")

// processAlive is how long after its last sign of life a process counts as running.
const processAlive = 20 * time.Second

// Tables returns the version of our tables that this program knows.
func (d *Database) Tables() int64 { return d.tables.ours }

// tablesQuery reads the versions of the tables, and the version of our tables that a
// program must know at least.
const tablesQuery = `SELECT (SELECT coalesce(max(version), 0) FROM river_migration WHERE line = 'main'),
	(SELECT coalesce(max(version_id), 0) FROM stocktake_version WHERE is_applied), (SELECT coalesce(max(version), 0) FROM stocktake_oldest)`

// CheckTables compares the tables with those that this program knows, because another
// program may migrate them, or an administrator restore them, while it runs. remark
// says in words that they are of a newer version that this program can work with. The
// error is an ErrOutdated or ErrOlder if it cannot, or that of the query.
func (d *Database) CheckTables(ctx context.Context) (remark string, err error) {
	var now schema
	var oldest int64
	if err := d.Row(ctx, []any{&now.river, &now.ours, &oldest}, tablesQuery); err != nil {
		if absent(err) { // tables of before the version that has stocktake_oldest
			return "", fmt.Errorf("needed are %s: %w", d.tables, ErrOlder)
		}
		return "", err
	}
	switch {
	case d.tables.newer(now):
		return "", fmt.Errorf("%s, needed are %s: %w", now, d.tables, ErrOlder)
	case oldest > d.tables.ours:
		return "", fmt.Errorf("%s, known are %s: %w", now, d.tables, ErrOutdated)
	case now.newer(d.tables):
		return fmt.Sprintf("the tables of the database were migrated to %s by a newer version of stocktake; this one, which knows %s, continues, but does not start with them again: upgrade it", now, d.tables), nil
	}
	return "", nil
}

// WarnOlder logs which running processes have a program of an earlier version, and
// what happens to them when the tables are migrated. Tables of any version will do.
func WarnOlder(ctx context.Context, cfg *pgxpool.Config, log *slog.Logger) error {
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig.Copy())
	if err != nil {
		return named("open the database", cfg, err)
	}
	defer Disconnect(ctx, conn, disconnectTime)
	ours, err := newestMigration()
	if err == nil {
		err = warnOlder(ctx, conn, ours, log)
	}
	if err != nil {
		return named("open the database", cfg, err)
	}
	return nil
}

func warnOlder(ctx context.Context, q querier, tables int64, log *slog.Logger) error {
	older, err := olderProcesses(ctx, q, tables)
	for _, p := range older {
		log.Warn("a server of an earlier version uses the database: it continues with migrated tables, but does not start with them again; upgrade it",
			"machine", p.name, "release", p.release, "roles", p.roles)
	}
	return err
}

// A process is one that uses the database.
type process struct {
	name, release string
	roles         []string
}

// olderProcesses returns the running processes whose program does not know our tables
// of a version, by name. The tables may be of any version.
func olderProcesses(ctx context.Context, q querier, tables int64) ([]process, error) {
	rows, err := q.Query(ctx, `SELECT host, coalesce(p.j ->> 'version', ''), coalesce(p.j ->> 'roles', '')
		FROM (SELECT host, seen, to_jsonb(processes) AS j FROM processes) p
		WHERE seen >= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1 AND coalesce((p.j ->> 'tables')::bigint, 0) < $2 ORDER BY 1, 2`,
		processAlive.Microseconds(), tables)
	if err != nil {
		return nil, withoutTable(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p process, err error) {
		var roles string
		err = row.Scan(&p.name, &p.release, &roles)
		p.roles = strings.FieldsFunc(roles, func(r rune) bool { return r == ',' })
		return p, err
	})
	return all, withoutTable(err)
}

// absent reports whether err means that a table is missing.
func absent(err error) bool { return codeOf(err) == "42P01" }

// withoutTable returns nil if err means that a table is missing.
func withoutTable(err error) error {
	if absent(err) {
		return nil
	}
	return err
}
