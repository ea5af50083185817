package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Reasons why a process cannot work with the connections that it gets.
var (
	ErrFewConnections = errors.New("the database allows this server too few connections")
	ErrPooler         = errors.New("the address is that of a pooler that shares connections between sessions: set its pool_mode to session, or connect to PostgreSQL directly")
)

// Times of Fit.
const (
	fitPatience    = 15 * time.Second       // for all connections
	retryRefused   = 5 * time.Second        // for one that is in use at the moment, such as by a process that was just killed
	refusedPause   = 100 * time.Millisecond // between two attempts to connect
	disconnectTime = 5 * time.Second
)

// Fit checks that the database serves a process enough connections: at least two of
// the pool of cfg, and outside others, at the same time. It opens them and closes
// them again. If a limit of the role, the database or the server is lower than the
// most that the process would open, Fit lowers cfg.MaxConns to it. warnings says so,
// and whether the connections of others leave less than that now. Errors:
// ErrFewConnections, ErrPooler, and those of connecting.
func Fit(ctx context.Context, cfg *pgxpool.Config, outside int) (warnings []string, err error) {
	least, most := outside+minConnections, outside+int(cfg.MaxConns)
	waiting, cancel := context.WithTimeout(ctx, fitPatience)
	defer cancel()
	first, err := connectPatiently(waiting, cfg)
	if err != nil {
		if advice := refusal(err); advice != "" {
			err = fmt.Errorf("%w: %w: %s", ErrFewConnections, err, advice)
		}
		return nil, named("open the database", cfg, err)
	}
	defer Disconnect(ctx, first, disconnectTime)
	limits, err := connectionLimits(ctx, first)
	if err != nil {
		return nil, named("open the database", cfg, err)
	}
	for _, l := range limits {
		if l.most < least {
			return nil, named("open the database", cfg, fmt.Errorf("%w: %s allows %d, a server needs at least %d and opens up to %d: %s",
				ErrFewConnections, l.what, l.most, least, most, l.advice))
		}
	}
	if err := hold(waiting, cfg, first, least); err != nil {
		if e := ctx.Err(); e != nil {
			err = e
		}
		return nil, named("open the database", cfg, err)
	}
	for _, l := range limits {
		if room := l.most - outside; room < int(cfg.MaxConns) {
			cfg.MaxConns = int32(room)
			warnings = append(warnings, fmt.Sprintf("%s allows %d connections, fewer than the %d that this server would open, so it opens at most that many: %s",
				l.what, l.most, most, l.advice))
		} else if l.used > 0 && l.used+most > l.most {
			warnings = append(warnings, fmt.Sprintf("%s allows %d connections, of which others use %d now; this server opens up to %d, so there may be none left under load: %s",
				l.what, l.most, l.used, most, l.advice))
		}
	}
	return warnings, nil
}

// A connectionLimit is how many connections PostgreSQL allows, and how many of them
// other sessions use.
type connectionLimit struct {
	what       string
	most, used int
	advice     string
}

// limitsQuery reads the limits that apply to the session: those of its role, its
// database, and the server. -1: there is none. Superusers have only the server's.
const limitsQuery = `SELECT r.rolname, d.datname,
	CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END, CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END,
	current_setting('max_connections')::int - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
		+ coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0) END,
	(SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid AND a.pid <> pg_backend_pid()),
	(SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()),
	(SELECT count(*) FROM pg_stat_activity a WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid())
	FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()`

func connectionLimits(ctx context.Context, conn *pgx.Conn) ([]connectionLimit, error) {
	var user, database string
	var ofRole, ofDatabase, ofServer connectionLimit
	if err := conn.QueryRow(ctx, limitsQuery).Scan(
		&user, &database, &ofRole.most, &ofDatabase.most, &ofServer.most, &ofRole.used, &ofDatabase.used, &ofServer.used,
	); err != nil {
		return nil, err
	}
	ofRole.what, ofRole.advice = "the role "+user, roleAdvice
	ofDatabase.what, ofDatabase.advice = "the database "+database, databaseAdvice
	ofServer.what, ofServer.advice = "PostgreSQL", serverAdvice
	var all []connectionLimit
	for _, l := range []connectionLimit{ofRole, ofDatabase, ofServer} {
		if l.most >= 0 {
			all = append(all, l)
		}
	}
	return all, nil
}

// hold returns nil if the database serves n connections at once, first among them,
// before the deadline of ctx. A pooler accepts connections beyond its size, but does
// not answer on them; or it answers on several by one session, where LISTEN and
// settings have no effect.
func hold(ctx context.Context, cfg *pgxpool.Config, first *pgx.Conn, n int) error {
	sessions := map[uint32]bool{}
	for conn := first; ; {
		var session uint32
		err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&session)
		if code := codeOf(err); code == "42P05" || code == "26000" { // a statement that another session has prepared
			return ErrPooler
		}
		if err != nil {
			return tooFew(len(sessions), n, int(cfg.MaxConns), err)
		}
		if sessions[session] {
			return ErrPooler
		}
		sessions[session] = true
		if len(sessions) == n {
			return nil
		}
		if conn, err = connectPatiently(ctx, cfg); err != nil {
			return tooFew(len(sessions), n, int(cfg.MaxConns), err)
		}
		defer Disconnect(ctx, conn, disconnectTime)
	}
}

// connectPatiently makes a connection. While the server has none left, it tries
// again for a while.
func connectPatiently(ctx context.Context, cfg *pgxpool.Config) (*pgx.Conn, error) {
	begun := time.Now()
	for {
		conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig.Copy())
		if err == nil || refusal(err) == "" || time.Since(begun) > retryRefused {
			return conn, err
		}
		select {
		case <-time.After(refusedPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// tooFew explains why only got of the connections that a server needs were served.
func tooFew(got, least, pool int, err error) error {
	advice := refusal(err)
	switch {
	case advice == "" && !errors.Is(err, context.DeadlineExceeded):
		return err
	case advice == "":
		advice = poolerAdvice
	}
	return fmt.Errorf("%w: %d at the same time; a server needs at least %d and opens up to %d: %s: %w", ErrFewConnections, got, least, pool+least-minConnections, advice, err)
}
