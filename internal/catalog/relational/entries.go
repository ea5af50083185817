package relational

import (
	"database/sql"

	"github.com/stocktake/stocktake/internal/inventory"
)

// entryColumns are the columns of an entry. statusColumns add the last success and
// the columns of the last run. Both are for the tables in statusTables.
const (
	entryColumns = `c.bucket, c.document, c.created, c.due, c.wake, c.suspended, c.keep_reports, c.keep_days`

	statusColumns = entryColumns + `,
	coalesce((SELECT s.ended FROM runs s WHERE s.bucket = c.bucket AND s.configuration = c.id AND s.kind = 'full'
	AND s.state = 'succeeded' ORDER BY s.seq DESC LIMIT 1), 0),
	coalesce(r.id, ''), coalesce(r.bucket, ''), coalesce(r.configuration, ''), coalesce(r.run_trigger, ''),
	coalesce(r.state, ''), coalesce(r.attempt, 0), coalesce(r.due, 0), coalesce(r.queued, 0),
	coalesce(r.started, 0), coalesce(r.ended, 0), coalesce(r.listed, 0), coalesce(r.matched, 0),
	coalesce(r.bytes, 0), coalesce(r.written, 0), coalesce(r.shards, 0), coalesce(r.expected, 0),
	coalesce(r.object_key, ''), coalesce(r.reason, ''), coalesce(r.manifest, ''), coalesce(r.destination, ''), coalesce(r.late, 0), coalesce(r.kind, ''),
	coalesce(r.window_start, 0), coalesce(r.window_end, 0)`
	statusTables = `configurations c LEFT JOIN runs r
	ON r.bucket = c.bucket AND r.configuration = c.id AND r.seq = c.last_run`
)

// An entryRow is an entry as it is scanned.
type entryRow struct {
	e                             inventory.Entry
	document                      sql.RawBytes // valid until the next row
	created, due, wake, suspended int64
}

// columns returns the scan targets of entryColumns.
func (r *entryRow) columns() []any {
	return []any{
		&r.e.Bucket, &r.document, &r.created, &r.due, &r.wake, &r.suspended, &r.e.Retention.Reports, &r.e.Retention.Days,
	}
}

// entry returns the scanned entry.
func (c *Catalog) entry(r *entryRow) (inventory.Entry, error) {
	cfg, err := c.parsed.Get(r.document)
	if err != nil {
		return r.e, err
	}
	r.e.Configuration = cfg.Clone() // the caller may modify it
	r.e.Created, r.e.Due, r.e.Wake, r.e.Suspended = instant(r.created), instant(r.due), instant(r.wake), r.suspended != 0
	return r.e, nil
}

func (c *Catalog) scanEntry(scan Scanner) (inventory.Entry, error) {
	var row entryRow
	if err := scan(row.columns()...); err != nil {
		return inventory.Entry{}, err
	}
	return c.entry(&row)
}

func (c *Catalog) scanStatus(scan Scanner) (inventory.EntryStatus, error) {
	var row entryRow
	var succeeded int64
	last, err := scanRun(scan, append(row.columns(), &succeeded)...)
	if err != nil {
		return inventory.EntryStatus{}, err
	}
	e, err := c.entry(&row)
	s := inventory.EntryStatus{Entry: e, Succeeded: instant(succeeded)}
	if last.ID != "" {
		s.Last = &last
	}
	return s, err
}
