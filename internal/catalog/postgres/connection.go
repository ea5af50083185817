package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Connect makes a connection outside of the pool. within bounds the time. The
// caller ends the connection with Disconnect. If the database is unavailable, the
// error is an object.ErrUnavailable.
func (d *Database) Connect(ctx context.Context, within time.Duration) (*pgx.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := pgx.ConnectConfig(waiting, d.pool.Config().ConnConfig.Copy())
	return conn, d.explain(ctx, err)
}

// Disconnect ends a connection, which may be lost already, within a time, even if
// ctx has ended.
func Disconnect(ctx context.Context, conn *pgx.Conn, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	_ = conn.Close(ctx)
}

// Listen makes a connection receive the notifications on a channel, for [Wait]. within bounds the
// time of the statement.
func Listen(ctx context.Context, conn *pgx.Conn, channel string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := conn.Exec(ctx, "LISTEN "+channel)
	return err
}

// Wait returns the next notification on a listening connection. heard is false if
// none arrived within atMost. The error is that of the connection or of ctx.
func Wait(ctx context.Context, conn *pgx.Conn, atMost time.Duration) (payload string, heard bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	n, err := conn.WaitForNotification(waiting)
	switch {
	case err == nil:
		return n.Payload, true, nil
	case ctx.Err() == nil && waiting.Err() != nil && !conn.IsClosed():
		return "", false, nil
	}
	return "", false, err
}
