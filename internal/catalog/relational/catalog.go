// Package relational is the common part of the catalogs on SQLite and on
// PostgreSQL: the statements, and the methods of [inventory.Catalog] that use them.
// The statements use only what both databases support. Each change is correct at
// the isolation level READ COMMITTED: it first updates, and so locks, the row that
// others would change, and then reads.
//
// Rows are locked in one order: bucket, configuration, runs.
package relational

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/memo"
	"github.com/stocktake/stocktake/inventoryxml"
)

var (
	_ inventory.Catalog       = (*Catalog)(nil)
	_ inventory.NoticeCatalog = (*Catalog)(nil)
	_ inventory.StrayCatalog  = (*Catalog)(nil)
)

// A Scanner reads the columns of a row.
type Scanner func(dest ...any) error

// A Database runs statements. Parameters are written $1, $2 and so on. Arguments
// are strings, byte slices, integers and nil.
type Database interface {
	// Rows calls each for every row of a query in [ReadStatements].
	Rows(ctx context.Context, text string, each func(Scanner) error, args ...any) error

	// Change makes the changes of do in one atomic step. After nil it is durable;
	// after an error nothing has changed. do is called again if the first call was
	// undone.
	Change(ctx context.Context, do func(context.Context, Tx) error) error

	// ChangeLazily is like Change, but a crash of the machine may undo the step until
	// a later step by Change is durable.
	ChangeLazily(ctx context.Context, do func(context.Context, Tx) error) error

	// Explain adds the project's error to an error of the database, such as
	// object.ErrDiskFull.
	Explain(err error) error
}

// A Tx is a change in progress.
type Tx interface {
	// Rows calls each for every row of a query in [WriteStatements].
	Rows(ctx context.Context, text string, each func(Scanner) error, args ...any) error

	// Exec runs a statement in [WriteStatements] and returns the number of changed
	// rows.
	Exec(ctx context.Context, text string, args ...any) (int64, error)

	// Now returns the time by which leases are measured, in microseconds since 1970.
	// It does not depend on a clock.Movable.
	Now() int64
}

// A Catalog keeps configurations and runs in a database. Its methods are those
// of [inventory.Catalog], [inventory.NoticeCatalog] and [inventory.StrayCatalog].
type Catalog struct {
	db     Database
	parsed *memo.Memo[stocktake.InventoryConfiguration] // by document
}

// maxParsed is how many parsed configurations are kept in memory, some 20 MB of
// usual ones: parsing is most of the cost of reading one.
const maxParsed = 16384

// New returns the catalog in db, whose tables must exist.
func New(db Database) *Catalog {
	return &Catalog{db: db, parsed: memo.New(maxParsed, inventoryxml.Parse)}
}

// AddConfiguration implements [inventory.Catalog].
func (c *Catalog) AddConfiguration(ctx context.Context, e inventory.Entry, first *stocktake.Run, by inventory.Holder, limit int) error {
	cfg := &e.Configuration
	document := string(inventoryxml.Append(nil, cfg))
	err := c.change(ctx, func(ctx context.Context, t tx) error {
		if _, err := t.Exec(ctx, countIntoBucket, e.Bucket); err != nil {
			return err
		}
		n, err := t.Exec(ctx, addConfiguration, e.Bucket, cfg.ID, document,
			micros(e.Created), micros(e.Due), micros(e.Wake), boolInt(e.Suspended), e.Retention.Reports, e.Retention.Days, boolInt(strings.Contains(cfg.ID, "/")))
		if err != nil {
			return err
		}
		if n == 0 {
			return stocktake.ErrInventoryExists
		}
		size, err := t.number(ctx, bucketSize, e.Bucket)
		if err != nil {
			return err
		}
		if size > int64(limit) {
			return stocktake.ErrInventoryExceedLimit
		}
		if err := t.dropHistory(ctx, e.Bucket, cfg.ID); err != nil {
			return err
		}
		if e.Windows != nil {
			if _, err := t.Exec(ctx, addWindows, windowValues(e.Windows)...); err != nil {
				return err
			}
		}
		if first == nil {
			return nil
		}
		return t.addRun(ctx, first, by)
	})
	return c.wrap("add configuration", err)
}

// tx adds the steps that several changes share to a Tx.
type tx struct{ Tx }

// dropHistory removes everything that is stored for a configuration except the
// configuration itself.
func (t tx) dropHistory(ctx context.Context, bucket, id string) error {
	if _, err := t.Exec(ctx, dropRunsOf, bucket, id); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, dropWindowsOf, bucket, id); err != nil {
		return err
	}
	_, err := t.Exec(ctx, dropStraysOf, bucket, id)
	return err
}

// addRun adds a run as the newest of its configuration, held by by.
func (t tx) addRun(ctx context.Context, r *stocktake.Run, by inventory.Holder) error {
	seq, err := t.number(ctx, takeSeq, r.Bucket, r.Configuration)
	if err != nil {
		return err
	}
	if seq == 0 {
		return stocktake.ErrNoSuchInventory
	}
	if _, err := t.Exec(ctx, addRun, runValues(r, seq, by.Owner, t.leaseEnd(by))...); err != nil {
		return err
	}
	if r.State == stocktake.Skipped || r.Kind != stocktake.FullRun {
		return nil
	}
	_, err = t.Exec(ctx, setLast, r.Bucket, r.Configuration, seq)
	return err
}

// leaseEnd returns when a lease that by takes now ends; 0 if by does not name a process.
func (t tx) leaseEnd(by inventory.Holder) int64 {
	if by.Owner == "" {
		return 0
	}
	return t.Now() + by.Lease.Microseconds()
}

// number returns the one value of a query, or 0 if it has no rows.
func (t tx) number(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = t.Rows(ctx, text, func(scan Scanner) error { return scan(&n) }, args...)
	return n, err
}

// NestedConfigurations implements [inventory.Catalog].
func (c *Catalog) NestedConfigurations(ctx context.Context) ([]inventory.Entry, error) {
	entries, err := c.entries(ctx, selectNested)
	return entries, c.wrap("read configurations with a slash in their id", err)
}

func (c *Catalog) entries(ctx context.Context, text string, args ...any) (entries []inventory.Entry, err error) {
	err = c.db.Rows(ctx, text, func(scan Scanner) error {
		e, err := c.scanEntry(scan)
		entries = append(entries, e)
		return err
	}, args...)
	return entries, err
}

func (c *Catalog) change(ctx context.Context, do func(context.Context, tx) error) error {
	return c.db.Change(ctx, func(ctx context.Context, t Tx) error { return do(ctx, tx{t}) })
}

func (c *Catalog) changeLazily(ctx context.Context, do func(context.Context, tx) error) error {
	return c.db.ChangeLazily(ctx, func(ctx context.Context, t Tx) error { return do(ctx, tx{t}) })
}

// exec runs one statement in a change of its own.
func (c *Catalog) exec(ctx context.Context, text string, args ...any) error {
	return c.change(ctx, func(ctx context.Context, t tx) error {
		_, err := t.Exec(ctx, text, args...)
		return err
	})
}

func (c *Catalog) number(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = c.db.Rows(ctx, text, func(scan Scanner) error { return scan(&n) }, args...)
	return n, err
}

// wrap adds the operation of the catalog to an error.
func (c *Catalog) wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("catalog: %s: %w", doing, c.db.Explain(err))
	}
	return nil
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// runColumns are the columns of a run in the order of runValues and scanRun.
const runColumns = `id, bucket, configuration, run_trigger, state, attempt, due, queued, started, ended,
	listed, matched, bytes, written, shards, expected, object_key, reason, manifest, destination, late, kind, window_start, window_end`

// runValues returns the values of runColumns, then more.
func runValues(r *stocktake.Run, more ...any) []any {
	// PostgreSQL's text cannot store every valid key.
	key := url.QueryEscape(r.Key)
	return append(append(make([]any, 0, 24+len(more)),
		r.ID, r.Bucket, r.Configuration, string(r.Trigger), string(r.State), int64(r.Attempt),
		micros(r.Due), micros(r.Queued), micros(r.Started), micros(r.Ended),
		r.Listed, r.Matched, r.Bytes, r.Written, int64(r.Shards), r.Expected, key, r.Reason, r.Manifest, r.Destination, boolInt(r.Late), string(r.Kind),
		micros(r.Window.Start), micros(r.Window.End)), more...)
}

func scanRun(scan Scanner, before ...any) (stocktake.Run, error) {
	var r stocktake.Run
	var due, queued, started, ended int64
	var late, windowStart, windowEnd int64
	var key string
	err := scan(append(before,
		&r.ID, &r.Bucket, &r.Configuration, &r.Trigger, &r.State, &r.Attempt,
		&due, &queued, &started, &ended,
		&r.Listed, &r.Matched, &r.Bytes, &r.Written, &r.Shards, &r.Expected, &key, &r.Reason, &r.Manifest, &r.Destination, &late, &r.Kind, &windowStart, &windowEnd)...)
	if err != nil {
		return r, err
	}
	r.Due, r.Queued, r.Started, r.Ended = instant(due), instant(queued), instant(started), instant(ended)
	r.Late = late != 0
	r.Window = stocktake.RunWindow{Start: instant(windowStart), End: instant(windowEnd)}
	r.Key, err = url.QueryUnescape(key)
	return r, err
}

// micros returns a time in the form of the database.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// IsAnswer reports whether err is the answer of a change, such as that there is no
// such run, and not a failure of the database.
func IsAnswer(err error) bool {
	for _, answer := range []error{
		stocktake.ErrNoSuchInventory, stocktake.ErrNoSuchRun, stocktake.ErrInventoryExists, stocktake.ErrInventoryExceedLimit, inventory.ErrNoSuchNotice,
		inventory.ErrEntryChanged, inventory.ErrRunUnfinished,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
