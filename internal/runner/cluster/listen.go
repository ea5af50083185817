package cluster

import (
	"context"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// keepFollowing calls follow again and again until ctx ends, with a pause after each
// failure, which missed reports.
func keepFollowing(ctx context.Context, follow func() error, missed func(error)) {
	for ctx.Err() == nil {
		if err := follow(); ctx.Err() == nil {
			missed(err)
		}
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
		}
	}
}

// listen calls heard with each notification on a channel, on a connection of its own,
// until ctx ends or the connection does. The first call has an empty text, because
// notifications may have been missed.
func listen(ctx context.Context, db *postgres.Database, channel string, heard func(payload string)) error {
	conn, err := db.Connect(ctx, answerWithin)
	if err != nil {
		return err
	}
	defer postgres.Disconnect(ctx, conn, answerWithin)
	if err := postgres.Listen(ctx, conn, channel, answerWithin); err != nil {
		return err
	}
	heard("")
	for {
		payload, told, err := postgres.Wait(ctx, conn, askEvery)
		if err != nil {
			return err
		}
		if told {
			heard(payload)
			continue
		}
		asking, cancel := context.WithTimeout(ctx, answerWithin)
		err = conn.Ping(asking)
		cancel()
		if err != nil {
			return err
		}
	}
}
