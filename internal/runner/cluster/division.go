package cluster

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// sharesChannel is the channel for changes of divisions. A notification has the id of
// a process and the name of a store.
const sharesChannel = "stocktake_shares"

// databaseShares are the shares in the database.
type databaseShares struct{ db *postgres.Database }

const readDivision = `SELECT d.version, d.now, s.process, s.rate, s.places, s.served, s.serving, s.needs_rate, s.needs_places
	FROM (SELECT coalesce((SELECT version FROM store_divisions WHERE store = $1), 0) AS version,
		(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) d
	LEFT JOIN store_shares s ON s.store = $1 AND s.lease > d.now`

// Read implements shareRows.
func (s databaseShares) Read(ctx context.Context, store string) (v division, err error) {
	rows, err := s.db.Pool().Query(ctx, readDivision, store)
	if err != nil {
		return v, err
	}
	defer rows.Close()
	for rows.Next() {
		var process *string
		var rate, places, since, needsRate, needsPlaces *int64
		var served *bool
		if err := rows.Scan(&v.version, &v.now, &process, &rate, &places, &since, &served, &needsRate, &needsPlaces); err != nil {
			return v, err
		}
		if process != nil {
			v.all = append(v.all, holding{*process, share{*rate, *places}, share{*needsRate, *needsPlaces}, *since, *served})
		}
	}
	return v, rows.Err()
}

// writeShare is one statement, and so one transaction on the server: it holds the
// lock of a division only while it executes.
const writeShare = `WITH turn AS (
		INSERT INTO store_divisions AS d (store, version) VALUES ($1, $2 + 1)
		ON CONFLICT (store) DO UPDATE SET version = d.version + 1 WHERE d.version = $2 RETURNING d.store),
	mine AS (
		INSERT INTO store_shares (store, process, rate, places, served, serving, lease, needs_rate, needs_places)
		SELECT store, $3, $4, $5, $6, $7, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + $8, $10, $11 FROM turn
		ON CONFLICT (store, process) DO UPDATE SET rate = $4, places = $5, served = $6, serving = $7, lease = excluded.lease, needs_rate = $10, needs_places = $11 RETURNING process)
	SELECT CASE WHEN $9 THEN pg_notify('` + sharesChannel + `', process || ' ' || $1)::text END FROM mine`

// Write implements shareRows.
func (s databaseShares) Write(ctx context.Context, store string, version int64, mine holding, lease time.Duration, tell bool) (bool, error) {
	var told *string
	err := s.db.Pool().QueryRow(ctx, writeShare, store, version, mine.process, mine.rate, mine.concurrency, mine.since, mine.served, lease.Microseconds(), tell,
		mine.needs.rate, mine.needs.concurrency).Scan(&told)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// leaveShares removes the shares of a process that has ended its use of stores.
func leaveShares(ctx context.Context, tx postgres.Tx, process string) error {
	_, err := tx.Exec(ctx, `WITH gone AS (DELETE FROM store_shares WHERE process = $1 RETURNING store)
		SELECT pg_notify('`+sharesChannel+`', $1 || ' ' || store) FROM gone`, process)
	return err
}

// Times of following.
const (
	askEvery     = 15 * time.Second // whether the connection is there, if nothing comes
	answerWithin = 5 * time.Second
)

// Follow implements shareRows, on a connection of its own.
func (s databaseShares) Follow(ctx context.Context, process string, f func(store string)) error {
	return listen(ctx, s.db, sharesChannel, func(payload string) {
		if from, store, _ := strings.Cut(payload, " "); from != process {
			f(store)
		}
	})
}
