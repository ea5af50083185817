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

// ErrAddress means that the address of a database cannot be one.
var ErrAddress = errors.New("not the address of a PostgreSQL database, such as postgres://stocktake@db.example.com/stocktake")

// startup are the settings that a connection begins with, unless the address has
// others. A pooler such as PgBouncer refuses a connection that begins with a setting
// that it does not follow: it knows these.
var startup = map[string]string{
	"application_name": "stocktake",
	"timezone":         "UTC",
}

// limits are the settings of each session that the address does not set itself, made
// by a statement at its beginning.
// They have the server end the session of a process that was cut off, and with it
// the locks of its rows, which others would wait for otherwise. Times in seconds are
// those of the keepalives, the others are in milliseconds.
var limits = map[string]string{
	"statement_timeout":                   "60000",
	"lock_timeout":                        "20000",
	"idle_in_transaction_session_timeout": "20000",
	"tcp_user_timeout":                    "20000",
	"tcp_keepalives_idle":                 "10",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
}

// connectTimeout is how long the first answer of a server may take.
const connectTimeout = 10 * time.Second

// maxConnections is how many connections one process has at most, unless the
// address says pool_max_conns.
const maxConnections = 10

// minConnections is how few an address may ask for. Delivering notices holds one all
// the time; with no other than that the server would wait for itself.
const minConnections = 2

// Parse reads the address of a database: postgres://USER:PASSWORD@HOST/NAME, with
// the parameters of libpq, or those as key=value. The password may come from
// PGPASSWORD or ~/.pgpass as well. The error is an ErrAddress and never has the
// password.
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

// limit has each session of a configuration begin with our limits, except those that
// its address has, and with those of over, in any case.
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

// reason returns what is wrong with an address. pgx masks passwords where it
// can read the address; of one that it cannot read it may quote a part.
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

// Name returns how a database is called in logs: without the password and
// parameters.
func Name(cfg *pgxpool.Config) string {
	c := cfg.ConnConfig
	return fmt.Sprintf("postgres://%s@%s/%s", c.User, net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), c.Database)
}

// named says what was done with which database. The error of a connection has a
// line for each address that was tried; it becomes one line.
func named(doing string, cfg *pgxpool.Config, err error) error {
	return oneLine{fmt.Errorf("%s %s: %w", doing, Name(cfg), err)}
}

type oneLine struct{ error }

func (e oneLine) Error() string {
	lines := strings.FieldsFunc(e.error.Error(), func(r rune) bool { return r == '\n' || r == '\t' })
	return strings.Join(slices.Compact(lines), " ")
}

func (e oneLine) Unwrap() error { return e.error }
