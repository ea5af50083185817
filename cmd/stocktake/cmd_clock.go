package main

import (
	"context"
	"errors"
	"time"

	"github.com/stocktake/stocktake/client"
)

// clockCmd is `stocktake clock`.
type clockCmd struct {
	Get     clockGet     `cmd:"" help:"Show the time of a server."`
	Advance clockAdvance `cmd:"" help:"Move the time of a server ahead. Everything that falls due in between runs in order."`
}

// Help is shown by --help below the commands.
func (clockCmd) Help() string {
	return `The server must have been started with --clock-control.`
}

type clockGet struct {
	remote
	jsonFlag
}

// Run shows the time.
func (c *clockGet) Run(ctx context.Context, con console) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	now, err := admin.Now(ctx)
	return c.show(con, c.jsonFlag, now, err)
}

type clockAdvance struct {
	remote
	jsonFlag
	By time.Duration `arg:"" help:"How far to move, such as 24h."`
}

// Run moves the clock and shows the time it then has.
func (c *clockAdvance) Run(ctx context.Context, con console) error {
	if c.By < 0 {
		return usagef("the clock can only be moved forward")
	}
	admin, err := c.admin()
	if err != nil {
		return err
	}
	now, err := admin.AdvanceClock(ctx, c.By)
	return c.show(con, c.jsonFlag, now, err)
}

func (r *remote) show(con console, out jsonFlag, now time.Time, err error) error {
	if errors.Is(err, client.ErrNoClockControl) {
		return err
	}
	if err != nil {
		return r.refused(err)
	}
	now = now.UTC()
	return out.say(con, map[string]time.Time{"now": now}, "%s", now.Format(time.RFC3339))
}
