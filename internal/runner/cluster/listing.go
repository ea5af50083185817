package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
)

// Runs of one bucket that are due together share a listing: a separate row, whose
// tasks are the plan and the slices. Each run that shares it is a member. A member
// has its own holder and its own work, which names the listing. For each done slice
// of the listing it has a done slice of its own with its result. So a run is summed
// up and published as if it had scanned alone.
//
// A member may leave at any time, because it fails, is stopped, or a slice could not
// be written for it. Then each task of the listing that is not done becomes a task of
// the member. The others do not notice. The listing is removed when everything is
// listed, or when all members have left.
//
// Locks are taken in this order: runs, listings, works in the order of their ids,
// tasks.

// maxMembers bounds the runs that share a listing. Each slice has an open shard for
// each of them.
const maxMembers = inventory.MaxTogether

// ownNumbers is the first number of the segments that a member cuts alone: they
// differ from the numbers of its listing.
const ownNumbers = 1 << 40

// A membership is a run that shares a listing, as stored in the database.
type membership struct {
	run, prefix string
	stopped     bool
}

// joinListing adds a run that begins to a listing that is gathering runs, or begins a
// listing if other runs of the bucket may join it. It returns false if the run lists
// alone.
func (r *Runner) joinListing(ctx context.Context, tx postgres.Tx, t *inventory.Task) (bool, error) {
	login := r.one.Stores.ListingKey(t.Run.Bucket, &t.Configuration)
	if login == "" {
		return false, nil
	}
	// If two runs begin at once, one of them begins the listing.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, hashtext($2))`, listingLock, t.Run.Bucket); err != nil {
		return false, err
	}
	prefix := url.PathEscape(t.Configuration.Filter.Prefix)
	id, err := r.openListing(ctx, tx, t.Run.Bucket, login, prefix)
	if err != nil {
		return false, err
	}
	if id == "" {
		var others bool
		if err := tx.QueryRow(ctx, companions, t.Run.Bucket, t.Run.ID, stocktake.FullRun, inventory.Postponed,
			t.Run.Trigger == stocktake.TriggerScheduled, t.Run.Configuration).Scan(&others); err != nil || !others {
			return false, err
		}
		id = uuid.NewString()
		if _, err := tx.Exec(ctx, `INSERT INTO listings (id, bucket, login, prefix) VALUES ($1, $2, $3, $4)`, id, t.Run.Bucket, login, prefix); err != nil {
			return false, err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO tasks (listing, kind, since, due) VALUES ($1, $2, $3, $4)`,
			id, planKind, tx.Now, tx.Now+r.opts.Gather.Microseconds()); err != nil {
			return false, err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE works SET listing = $2, prefix = $3, numbers = $4 WHERE run = $1`, t.Run.ID, id, prefix, ownNumbers); err != nil {
		return false, err
	}
	// Its plan is the plan of the listing: a holder adds no other.
	_, err = tx.Exec(ctx, `INSERT INTO tasks (run, kind, done, since) VALUES ($1, $2, 1, $3)`, t.Run.ID, planKind, tx.Now)
	return err == nil, err
}

// listingLock is the first key of the advisory locks for beginning listings. Its
// value is arbitrary.
const listingLock = 0x6c697374

// companions returns whether the bucket $1 has runs besides $2 that are about to
// begin, or may soon have: if $2 was due by its schedule ($5), runs of configurations
// other than its own, $6, may be recorded in a moment.
const companions = `SELECT $5 AND EXISTS (SELECT 1 FROM configurations c WHERE c.bucket = $1 AND c.id <> $6) OR EXISTS (SELECT 1 FROM runs r WHERE r.bucket = $1 AND r.id <> $2 AND r.kind = $3 AND r.ended = 0 AND r.owner <> $4
	AND NOT EXISTS (SELECT 1 FROM works w WHERE w.run = r.id))`

// openListing locks a listing of a bucket that a run may join, and returns its id;
// empty if there is none. The prefix of the run must be a prefix of the listing's
// prefix, or the reverse.
func (r *Runner) openListing(ctx context.Context, tx postgres.Tx, bucket, login, prefix string) (string, error) {
	open, err := tx.Query(ctx, `SELECT id, prefix FROM listings WHERE bucket = $1 AND login = $2 AND closed = 0 ORDER BY id FOR UPDATE`, bucket, login)
	if err != nil {
		return "", err
	}
	type listing struct{ id, prefix string }
	found, err := pgx.CollectRows(open, func(row pgx.CollectableRow) (l listing, err error) {
		err = row.Scan(&l.id, &l.prefix)
		return l, err
	})
	if err != nil {
		return "", err
	}
	for _, l := range found {
		if !strings.HasPrefix(prefix, l.prefix) && !strings.HasPrefix(l.prefix, prefix) {
			continue
		}
		var members int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM works WHERE listing = $1`, l.id).Scan(&members); err != nil {
			return "", err
		}
		if members == 0 || members >= maxMembers { // without members it is about to be forgotten
			continue
		}
		if len(prefix) < len(l.prefix) {
			_, err = tx.Exec(ctx, `UPDATE listings SET prefix = $2 WHERE id = $1`, l.id, prefix)
		}
		return l.id, err
	}
	return "", nil
}

// lockListing locks a listing, its members, and a task of it, and returns the members.
// The error is errLost if the attempt may no longer write.
func (r *Runner) lockListing(ctx context.Context, tx postgres.Tx, t *task) ([]membership, error) {
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM listings WHERE id = $1 FOR UPDATE`, t.run).Scan(&one)
	var all []membership
	if err == nil {
		all, err = r.membersOf(ctx, tx, t.run)
	}
	if err == nil {
		err = tx.QueryRow(ctx, `SELECT 1 FROM tasks WHERE id = $1 AND generation = $2 AND worker = $3 AND done = 0 FOR UPDATE`, t.Task, t.Generation, t.worker).Scan(&one)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = errLost
	}
	return all, err
}

// membersOf locks the members of a locked listing.
func (r *Runner) membersOf(ctx context.Context, tx postgres.Tx, listing string) ([]membership, error) {
	rows, err := tx.Query(ctx, `SELECT run, prefix, stopped <> 0 FROM works WHERE listing = $1 ORDER BY run FOR UPDATE`, listing)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m membership, err error) {
		err = row.Scan(&m.run, &m.prefix, &m.stopped)
		return m, err
	})
}

// separate removes a member from its listing. The member continues alone: each task
// of the listing that is not done becomes a task of its own. The caller has locked
// both. The numbers of segments and generations differ from those of all attempts at
// tasks of the listing, so the member writes no file that such an attempt may be
// writing.
func (r *Runner) separate(ctx context.Context, tx postgres.Tx, listing string, m *membership) error {
	if _, err := tx.Exec(ctx, `UPDATE works SET listing = NULL WHERE run = $1`, m.run); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT kind, input, generation FROM tasks WHERE listing = $1 AND done = 0 ORDER BY id`, listing)
	if err != nil {
		return err
	}
	open, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t task, err error) {
		err = row.Scan(&t.kind, &t.input, &t.Generation)
		return t, err
	})
	if err != nil {
		return err
	}
	var calls []call
	kind := sliceKind
	for i := range open {
		t := &open[i]
		if t.kind == planKind {
			kind = planKind
			err = tx.QueryRow(ctx, `UPDATE tasks SET done = 0, generation = generation + 1, spent = generation, since = $3 WHERE run = $1 AND kind = $2 RETURNING id, generation`,
				m.run, planKind, tx.Now).Scan(&t.Task, &t.Generation)
		} else {
			err = r.ownSlice(ctx, tx, m, t)
		}
		if err != nil {
			return err
		}
		calls = append(calls, t.call)
	}
	if m.stopped {
		return nil // reopening its work begins the tasks
	}
	return r.wake(ctx, tx, kind, calls...)
}

// ownSlice adds a slice of a listing to the slices of a member. It sets the call of
// t.
func (r *Runner) ownSlice(ctx context.Context, tx postgres.Tx, m *membership, t *task) error {
	var s engine.Slice
	if err := json.Unmarshal([]byte(t.input), &s); err != nil {
		return fmt.Errorf("the slice as it is kept: %w", err)
	}
	prefix, err := url.PathUnescape(m.prefix)
	if err != nil {
		return err
	}
	s.Large = s.Large && s.Segment.Prefix == prefix
	s.Segment.Prefix, s.Shards = prefix, 0
	if err := tx.QueryRow(ctx, `UPDATE works SET numbers = numbers + 1 WHERE run = $1 RETURNING numbers - 1`, m.run).Scan(&s.Number); err != nil {
		return err
	}
	input, err := encode(&s)
	if err != nil {
		return err
	}
	t.Generation++
	return tx.QueryRow(ctx, `INSERT INTO tasks (run, kind, input, generation, spent, since) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
		m.run, sliceKind, input, t.Generation, t.Generation-1, tx.Now).Scan(&t.Task)
}

// leaveListing removes a run from the listing that it shares, if any.
func (r *Runner) leaveListing(ctx context.Context, tx postgres.Tx, run string) error {
	var listing *string
	err := tx.QueryRow(ctx, `SELECT listing FROM works WHERE run = $1`, run).Scan(&listing)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && listing == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `SELECT 1 FROM listings WHERE id = $1 FOR UPDATE`, *listing); err != nil {
		return err
	}
	m := membership{run: run, stopped: true}
	err = tx.QueryRow(ctx, `SELECT prefix FROM works WHERE run = $1 AND listing = $2 FOR UPDATE`, run, *listing).Scan(&m.prefix)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // all is listed, or it has left
	}
	if err != nil {
		return err
	}
	return r.separate(ctx, tx, *listing, &m)
}

// failListing ends the work of all members of a listing, for a reason that may differ.
func (r *Runner) failListing(ctx context.Context, tx postgres.Tx, listing string, reason func(run string) string, passes bool) error {
	if _, err := tx.Exec(ctx, `SELECT 1 FROM listings WHERE id = $1 FOR UPDATE`, listing); err != nil {
		return err
	}
	members, err := r.membersOf(ctx, tx, listing)
	if err != nil {
		return err
	}
	for i := range members {
		if err := r.separate(ctx, tx, listing, &membership{members[i].run, members[i].prefix, true}); err != nil {
			return err
		}
		if err := r.fail(ctx, tx, members[i].run, reason(members[i].run), passes); err != nil {
			return err
		}
	}
	return nil
}

// forgetListings removes the listings that all members have left, when no worker
// writes for them: processes that stop a run wait for these workers.
const forgetListings = `DELETE FROM listings l WHERE NOT EXISTS (SELECT 1 FROM works w WHERE w.listing = l.id)
	AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.listing = l.id AND t.worker <> '' AND t.lease >= $1)`

// closeListing closes a listing and returns the members for which a task is carried out. It
// returns none if there is nothing to share: then each run continues alone.
func (r *Runner) closeListing(ctx context.Context, a *assignment) (members []membership, bucket string, err error) {
	err = r.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		members = nil
		all, err := r.lockListing(ctx, tx, &a.task)
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `UPDATE listings SET closed = 1 WHERE id = $1 RETURNING bucket`, a.run).Scan(&bucket); err != nil {
			return err
		}
		for i := range all {
			if !all[i].stopped {
				members = append(members, all[i])
			}
		}
		if a.kind == planKind && len(members) == 1 {
			members = nil
		}
		for i := range all {
			if m := &all[i]; m.stopped || len(members) == 0 {
				if err := r.separate(ctx, tx, a.run, m); err != nil {
					return err
				}
			}
		}
		if len(members) == 0 {
			return nil
		}
		writing := map[string]progressOf{}
		for i := range members {
			writing[members[i].run] = progressOf{}
		}
		text, err := json.Marshal(writing)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE tasks SET members = $2 WHERE id = $1`, a.Task, string(text))
		return err
	})
	return members, bucket, err
}

// progressOf is the progress of a member in the form of tasks.members.
type progressOf [5]int64

func progressFrom(p *stocktake.Progress) progressOf {
	return progressOf{p.Listed, p.Matched, p.Bytes, p.Written, int64(p.Shards)}
}

// ahead returns the progress that has listed more.
func ahead(a, b stocktake.Progress) stocktake.Progress {
	if cmp.Less(a.Listed, b.Listed) {
		return b
	}
	return a
}
