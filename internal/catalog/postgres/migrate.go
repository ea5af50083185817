package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Reasons why a database cannot be used as it is.
var (
	ErrOlder  = errors.New("the tables of the database are of an earlier version of stocktake, or missing: run stocktake migrate, or start with --migrate")
	ErrNewer  = errors.New("the tables of the database are of a newer version of stocktake: run that version, or restore the database from a backup")
	ErrServer = fmt.Errorf("PostgreSQL %d or newer is needed", oldestServer/10000)
)

// oldestServer is the oldest supported version of PostgreSQL, as
// server_version_num. 13 introduced pg_current_xact_id.
const oldestServer = 130000

// migrationLock is the key of the advisory lock that migrations hold. The number has
// no meaning; it is the same in all versions.
const migrationLock = 0x73746b74616b65 // "stktake"

// lockPause is how often a process checks whether another one has finished its
// migrations.
const lockPause = 200 * time.Millisecond

// Migrate brings the tables of a database up to date: those of River, then ours.
// Any number of processes may call it at once: one migrates, the others wait for
// it. Errors: ErrNewer, ErrServer. It must connect to the server directly or by a
// proxy that keeps sessions.
func Migrate(ctx context.Context, cfg *pgxpool.Config, log *slog.Logger) (err error) {
	cfg = cfg.Copy()
	// A migration may rewrite a table, and waits for transactions that use it.
	limit(cfg.ConnConfig, map[string]string{"statement_timeout": "0", "lock_timeout": "0"})
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return named("migrate", cfg, err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }() // which unlocks
	if err := lock(ctx, conn); err != nil {
		return named("migrate", cfg, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return named("migrate", cfg, err)
	}
	defer pool.Close()
	if err := migrateLocked(ctx, pool, log); err != nil {
		return named("migrate", cfg, err)
	}
	return nil
}

// lock waits for the lock. It polls, because a session that waits for an advisory
// lock holds a snapshot, for which building an index would wait.
func lock(ctx context.Context, conn *pgx.Conn) error {
	for {
		var locked bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(migrationLock)).Scan(&locked); err != nil || locked {
			return err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func migrateLocked(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	if err := checkServer(ctx, pool); err != nil {
		return err
	}
	have, want, err := versions(ctx, pool)
	if err != nil {
		return err
	}
	if have.newer(want) {
		return fmt.Errorf("%s, known are %s: %w", have, want, ErrNewer)
	}
	if err := warnOlder(ctx, pool, want.ours, log); err != nil {
		return err
	}
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: log})
	if err != nil {
		return err
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("tables of River: %w", err)
	}
	return withGoose(pool, func(p *goose.Provider) error {
		done, err := p.Up(ctx)
		for _, m := range done {
			log.Info("migrated the database", "migration", m.Source.Version, "took", m.Duration.Round(time.Millisecond))
		}
		return err
	})
}

// withGoose calls do with the migrations of our tables.
func withGoose(pool *pgxpool.Pool, do func(*goose.Provider) error) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := provider(db)
	if err != nil {
		return err
	}
	return do(p)
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true), goose.WithTableName("stocktake_version"))
}

// schema is the version of the tables.
type schema struct {
	river int
	ours  int64
}

func (s schema) String() string { return fmt.Sprintf("version %d, River's %d", s.ours, s.river) }

func (s schema) newer(than schema) bool { return s.ours > than.ours || s.river > than.river }

// versions returns the version of the tables, 0 if there are none, and the version
// that this program needs.
func versions(ctx context.Context, pool *pgxpool.Pool) (have, want schema, err error) {
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return have, want, err
	}
	for _, m := range river.AllVersions() {
		want.river = max(want.river, m.Version)
	}
	// A query of River or goose creates their version tables, which only a migration
	// may do.
	err = version(ctx, pool, "river_migration", "SELECT coalesce(max(version), 0) FROM river_migration WHERE line = 'main'", &have.river)
	if err == nil {
		err = version(ctx, pool, "stocktake_version", "SELECT coalesce(max(version_id), 0) FROM stocktake_version WHERE is_applied", &have.ours)
	}
	if err != nil {
		return have, want, err
	}
	want.ours, err = newestMigration()
	return have, want, err
}

// newestMigration returns the version of our tables that this program knows.
func newestMigration() (int64, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	return goose.NumericComponent(files[len(files)-1])
}

// version reads a version from a table, if the table exists.
func version(ctx context.Context, pool *pgxpool.Pool, table, query string, to any) error {
	var exists bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&exists); err != nil || !exists {
		return err
	}
	return pool.QueryRow(ctx, query).Scan(to)
}

func checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var number int
	if err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&number); err != nil {
		return err
	}
	if number < oldestServer {
		return fmt.Errorf("the server has version %d: %w", number/10000, ErrServer)
	}
	return nil
}

// check returns the version of the tables if this program can use them as they are.
func check(ctx context.Context, pool *pgxpool.Pool) (schema, error) {
	if err := checkServer(ctx, pool); err != nil {
		return schema{}, err
	}
	have, want, err := versions(ctx, pool)
	switch {
	case err != nil:
		return schema{}, err
	case have.newer(want):
		return schema{}, fmt.Errorf("%s, known are %s: %w", have, want, ErrNewer)
	case have != want:
		return schema{}, fmt.Errorf("%s, needed are %s: %w", have, want, ErrOlder)
	}
	return want, nil
}
