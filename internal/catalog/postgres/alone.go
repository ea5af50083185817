package postgres

import (
	"context"
	"errors"
	"time"
)

// alonePause is how often a process checks whether it may begin the exclusive work,
// and whether it may continue.
const alonePause = 2 * time.Second

// Alone calls work in one of the processes that share the database and call Alone
// with the same name, until ctx ends. If that process ends, or is cut off from the
// database, another one takes over within seconds. For a moment both may be
// working, so Alone is for work that may be done twice but should not be. work
// must end with its context, and may be called again.
//
// Alone holds an advisory lock, and so a connection of its own.
func (d *Database) Alone(ctx context.Context, name string, work func(context.Context) error) error {
	for ctx.Err() == nil {
		if err := d.holdAlone(ctx, name, work); err != nil && ctx.Err() == nil && !lost(err) && !away(err) {
			return err
		}
		select {
		case <-time.After(alonePause):
		case <-ctx.Done():
		}
	}
	return nil
}

// holdAlone calls work if no other process holds the lock.
func (d *Database) holdAlone(ctx context.Context, name string, work func(context.Context) error) error {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, name).Scan(&mine); err != nil || !mine {
		return err
	}
	// A connection that still holds the lock must not return to the pool.
	defer func() { _ = conn.Conn().Close(context.WithoutCancel(ctx)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(alonePause):
			if err := conn.Ping(ctx); err != nil { // the lock is lost with the session
				cancel()
				return errors.Join(err, <-done)
			}
		}
	}
}
