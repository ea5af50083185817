package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What to correct if there are too few connections.
const (
	roleAdvice     = "raise the role's CONNECTION LIMIT (ALTER ROLE), which all servers share, or lower pool_max_conns in the address"
	databaseAdvice = "raise the database's CONNECTION LIMIT (ALTER DATABASE), which all servers share, or lower pool_max_conns in the address"
	serverAdvice   = "raise max_connections of PostgreSQL, which all programs share, or lower pool_max_conns in the address"
	poolerAdvice   = "raise the size of the pool in front of PostgreSQL (default_pool_size, max_db_connections and max_client_conn of PgBouncer), which all servers share, or lower pool_max_conns in the address"
)

// refusal returns what to correct if err means that the database, or the pooler in
// front of it, has no connection left; otherwise an empty text.
func refusal(err error) string {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	has := func(text string) bool { return strings.Contains(e.Message, text) }
	switch {
	case has("no more connections allowed"), has("query_wait_timeout"), has("max_db_connections"), has("max_user_connections"), has("client_login_timeout"):
		return poolerAdvice // PgBouncer, which has codes of its own
	case has("too many connections for role"): // PgBouncer passes it on with another code
		return roleAdvice
	case has("too many connections for database"):
		return databaseAdvice
	case e.Code == "53300", has("too many clients already"), has("remaining connection slots"):
		return serverAdvice
	}
	return ""
}

// codeOf returns the code of an error of the server; empty: it is of something else.
func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// refusedFor is how long a failed attempt to connect counts. Whoever needs a
// connection tries again sooner.
const refusedFor = 10 * time.Second

// connecting follows the attempts of a process to connect. It is the tracer of its
// connections.
type connecting struct {
	mu     sync.Mutex
	failed time.Time // of the last attempt; zero: it succeeded
	advice string    // what to correct
}

// TraceConnectStart implements [pgx.ConnectTracer].
func (c *connecting) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd implements [pgx.ConnectTracer].
func (c *connecting) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the caller has given up
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if data.Err == nil {
		c.failed, c.advice = time.Time{}, ""
		return
	}
	c.failed, c.advice = time.Now(), refusal(data.Err)
	if c.advice == "" && errors.Is(data.Err, context.DeadlineExceeded) {
		c.advice = "the database, or the pooler in front of it, did not serve a new connection in time: it is overloaded, or its pool is too small"
	}
}

// TraceQueryStart implements [pgx.QueryTracer].
func (c *connecting) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (c *connecting) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Refused returns an error that says what to correct if the last attempt of this
// process to make a connection failed, within the last seconds. Other connections may
// work meanwhile. It names no role or host.
func (d *Database) Refused() error {
	d.connecting.mu.Lock()
	defer d.connecting.mu.Unlock()
	switch {
	case d.connecting.failed.IsZero() || time.Since(d.connecting.failed) > refusedFor:
		return nil
	case d.connecting.advice == "":
		return errors.New("the database refuses connections")
	}
	return errors.New("the database refuses further connections: " + d.connecting.advice)
}
