package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrAddress means that an address is not a valid database address.
var ErrAddress = errors.New("not the address of a PostgreSQL database, such as postgres://stocktake@db.example.com/stocktake")

// startup are the startup parameters of a connection, unless the address sets them.
// A pooler such as PgBouncer rejects connections with startup parameters that it
// does not track. It tracks these.
var startup = map[string]string{
	"application_name": "stocktake",
	"timezone":         "UTC",
}

// limits are the session settings that a statement makes at the beginning of each
// session, unless the address sets them. With them the server ends the session of a
// process that was cut off, and releases its row locks, for which others would wait
// otherwise. Times of the keepalives are in seconds, the others in milliseconds.
var limits = map[string]string{
	"statement_timeout":                   "60000",
	"lock_timeout":                        "20000",
	"idle_in_transaction_session_timeout": "20000",
	"tcp_user_timeout":                    "20000",
	"tcp_keepalives_idle":                 "10",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
}

// connectTimeout bounds the wait for the first answer of a server.
const connectTimeout = 10 * time.Second

// maxConnections is the most connections of one process, unless the address sets
// pool_max_conns.
const maxConnections = 10

// minConnections is the least value of pool_max_conns, and the size of the pool for which Fit
// checks. Delivering notices holds one
// connection all the time; with no other connection the server would wait for
// itself.
const minConnections = 2

// Parse parses the address of a database: postgres://USER:PASSWORD@HOST/NAME, with
// the parameters of libpq, or key=value pairs. PGPASSWORD or ~/.pgpass may contain
// the password instead. The error is an ErrAddress and never contains the password.
func Parse(address string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return nil, ErrAddress // key=value forms, too: a typing mistake in a scheme would pass for one
	}
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrAddress, reason(err, address))
	}
	c := cfg.ConnConfig
	if c.Database == "" {
		return nil, fmt.Errorf("%w: the name of the database is missing", ErrAddress)
	}
	if !strings.Contains(address, "pool_max_conns=") {
		cfg.MaxConns = maxConnections
	}
	if cfg.MaxConns < minConnections {
		return nil, fmt.Errorf("%w: pool_max_conns: at least %d", ErrAddress, minConnections)
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	for name, value := range startup {
		if _, ok := c.RuntimeParams[name]; !ok {
			c.RuntimeParams[name] = value
		}
	}
	limit(c, nil)
	dialer := &net.Dialer{
		Timeout:         c.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control:         boundSends,
	}
	c.DialFunc = dialer.DialContext
	return cfg, nil
}

// limit applies our limits to each session of a configuration, except those that
// its address sets. It always applies those of over.
func limit(c *pgx.ConnConfig, over map[string]string) {
	settings := maps.Clone(limits)
	for name := range c.RuntimeParams {
		delete(settings, name)
	}
	maps.Copy(settings, over)
	var set strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&set, "SET %s = %s;", name, settings[name])
	}
	c.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		return conn.Exec(ctx, set.String()).Close()
	}
}

// reason returns the error in an address. pgx masks passwords if it can parse the
// address; otherwise it may quote a part.
func reason(err error, address string) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 && strings.Contains(text, "`") {
		text = text[i+2:]
	}
	if _, rest, ok := strings.Cut(address, "://"); ok {
		if login, _, ok := strings.Cut(rest, "@"); ok {
			if _, password, ok := strings.Cut(login, ":"); ok && password != "" {
				text = strings.ReplaceAll(text, password, "xxxxx")
			}
		}
	}
	return text
}

// Name returns the name of a database in logs: its address without the password and
// the parameters.
func Name(cfg *pgxpool.Config) string {
	c := cfg.ConnConfig
	return fmt.Sprintf("postgres://%s@%s/%s", c.User, net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), c.Database)
}

// named returns err with the operation and the name of the database. The error of a
// connection has a line for each address that was tried; named joins them to one
// line.
func named(doing string, cfg *pgxpool.Config, err error) error {
	return oneLine{fmt.Errorf("%s %s: %w", doing, Name(cfg), err)}
}

type oneLine struct{ error }

func (e oneLine) Error() string {
	lines := strings.FieldsFunc(e.error.Error(), func(r rune) bool { return r == '\n' || r == '\t' })
	return strings.Join(slices.Compact(lines), " ")
}

func (e oneLine) Unwrap() error { return e.error }
