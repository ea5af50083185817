package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// clockCmd is `stocktake clock`.
type clockCmd struct {
	Get     clockGet     `cmd:"" help:"Show the time of a server."`
	Advance clockAdvance `cmd:"" help:"Move the time of a server ahead; all that falls due on the way happens, in its order."`
}

// Help is shown by --help below the commands.
func (clockCmd) Help() string {
	return `The server must have been started with --clock-control.`
}

type clockGet struct{ remote }

// Run shows the time.
func (c *clockGet) Run(ctx context.Context, con console) error {
	return c.ask(ctx, con, http.MethodGet, "")
}

type clockAdvance struct {
	remote
	By time.Duration `arg:"" help:"How far, such as 24h."`
}

// Run moves the clock and shows where it came to.
func (c *clockAdvance) Run(ctx context.Context, con console) error {
	if c.By < 0 {
		return usagef("the clock can only be moved ahead")
	}
	return c.ask(ctx, con, http.MethodPost, "?advance="+c.By.String())
}

// ask makes a request of the clock and shows the time it answers with.
func (r *remote) ask(ctx context.Context, con console, method, query string) error {
	var reply clockReply
	err := r.own(ctx, method, clockPath+query, clockTarget, &reply)
	if refused, ok := errors.AsType[*ownError](err); ok && refused.code == http.StatusNotFound {
		return errors.New("the server does not let its clock be moved: start it with --clock-control")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(con.out, reply.Now.UTC().Format(time.RFC3339))
	return err
}
