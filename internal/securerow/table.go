package securerow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/securefile"
)

// DefaultMaxAge is how long documents stay in force by default while the database does
// not answer.
const DefaultMaxAge = 5 * time.Minute

// Options tune a [Table].
type Options struct {
	// Host is the name of the process for people; Writer is the author of its changes, such
	// as "root@host".
	Host, Writer string

	// MaxAge is how long documents stay in force while the database does not answer. 0
	// means DefaultMaxAge.
	MaxAge time.Duration

	Log *slog.Logger // nil means slog.Default()
}

// A Table is the documents that processes share in a database. Its methods may be
// called by many goroutines. What it knows is as old as Open and its own changes, until
// Serve follows those of others.
type Table struct {
	db    *postgres.Database
	seals []*sealer              // of the master keys
	seal  atomic.Pointer[sealer] // with which rows are sealed, as far as is known: only Rotate changes it
	opts  Options
	id    string // of the process

	mu        sync.Mutex // held while rows are read or changed
	rows      map[string]*Row
	confirmed atomic.Pointer[time.Time] // when all was as it is here, the last time
	joined    atomic.Bool               // others may know of this process

	onChange []func() error           // see OnChange
	settings map[string]func() []byte // see Compare

	differences atomic.Pointer[string] // see Differences
	logged      string                 // the last error that Serve logged; empty: none
}

// ErrUnconfirmed means that the database could not be asked for so long that what was
// read of it may not be in force any more. It is an object.ErrUnavailable.
var ErrUnconfirmed = fmt.Errorf("accounts and keys may have changed, and the database has not answered for too long: %w", object.ErrUnavailable)

// Open reads the documents names, each with at most so many bytes. master is the
// key of 32 bytes that all processes have, and former ones behind it, with which rows may
// be sealed until Rotate. Errors: ErrOtherMaster, ErrDamaged,
// ErrFormat, and those of the database. There is nothing to close.
func Open(ctx context.Context, db *postgres.Database, master []byte, names map[string]int, opts Options) (*Table, error) {
	opts.MaxAge = cmp.Or(opts.MaxAge, DefaultMaxAge)
	opts.Log = cmp.Or(opts.Log, slog.Default())
	seals, err := newSealers(master)
	if err != nil {
		return nil, err
	}
	t := &Table{db: db, seals: seals, opts: opts, id: uuid.NewString(), rows: map[string]*Row{}, settings: map[string]func() []byte{}}
	for name, max := range names {
		t.rows[name] = &Row{table: t, name: name, max: max}
		t.rows[name].now.Store(&content{})
	}
	t.seal.Store(seals[0])
	asked := time.Now()
	if err := t.read(ctx, db.Pool()); err != nil {
		return nil, db.Explain(err)
	}
	for _, name := range slices.Sorted(maps.Keys(t.rows)) {
		if err := t.rows[name].now.Load().err; err != nil {
			return nil, err
		}
	}
	t.confirmed.Store(&asked)
	return t, nil
}

// Row returns a document. It panics if Open was not told of it.
func (t *Table) Row(name string) *Row {
	r := t.rows[name]
	if r == nil {
		panic("securerow: no document " + name)
	}
	return r
}

// Confirmed returns nil if the database has confirmed what is here within
// Options.MaxAge, and else an ErrUnconfirmed.
func (t *Table) Confirmed() error {
	if age := t.Age(); age > t.opts.MaxAge {
		return fmt.Errorf("%w (%s)", ErrUnconfirmed, age.Round(time.Second))
	}
	return nil
}

// Age returns how long ago the database has confirmed what is here.
func (t *Table) Age() time.Duration { return time.Since(*t.confirmed.Load()) }

// A querier is a connection or a pool.
type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

// read reads the rows that have changed. Those that cannot be opened have the
// reason in their content; the error is of the database.
func (t *Table) read(ctx context.Context, from querier) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	versions := map[string]int64{}
	err := eachRow(ctx, from, func(rows pgx.Rows) error {
		var name string
		var version int64
		err := rows.Scan(&name, &version)
		versions[name] = version
		return err
	}, `SELECT name, version FROM documents`)
	if err != nil {
		return err
	}
	var changed []string
	for name, r := range t.rows {
		was := r.now.Load()
		switch version := versions[name]; {
		case version == 0 && was.version > 0:
			r.set(content{version: was.version, document: was.document, writer: was.writer, err: fmt.Errorf("%s: %w", r, securefile.ErrGone)})
		case version != was.version || version > 0 && was.err != nil:
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return eachRow(ctx, from, func(rows pgx.Rows) error {
		var name string
		var c content
		var sealed []byte
		if err := rows.Scan(&name, &c.version, &sealed, &c.writer); err != nil {
			return err
		}
		r := t.rows[name]
		was := r.now.Load()
		if c.version < was.version {
			t.opts.Log.Warn("a document in the database is older than before: the database was restored or has lost changes; the older document is in force",
				"document", name, "document_version", c.version, "previous_version", was.version)
		}
		document, _, err := t.unseal(name, c.version, sealed)
		if c.document = document; err != nil {
			c.err = fmt.Errorf("%s: %w", r, err)
		}
		r.set(c)
		return nil
	}, `SELECT name, version, content, writer FROM documents WHERE name = ANY($1)`, changed)
}

// eachRow calls do with the rows of a query.
func eachRow(ctx context.Context, from querier, do func(pgx.Rows) error, text string, args ...any) error {
	rows, err := from.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ErrNotEmpty means that the database has a document that was to be put in.
var ErrNotEmpty = errors.New("the database already has it")

// Import makes documents that are not there yet, all or none. The error is an
// ErrNotEmpty if there is one of them.
func (t *Table) Import(ctx context.Context, documents map[string][]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	made := map[string]content{}
	err := t.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(documents)) {
			c, err := t.Row(name).change(ctx, tx, func(data []byte) ([]byte, error) {
				if data != nil {
					return nil, fmt.Errorf("%s: %w", name, ErrNotEmpty)
				}
				return documents[name], nil
			})
			if errors.Is(err, errFaster) {
				return fmt.Errorf("%s: %w", name, ErrNotEmpty)
			}
			if err != nil {
				return err
			}
			made[name] = c
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, c := range made {
		t.rows[name].set(c)
	}
	return nil
}
