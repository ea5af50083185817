package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

// clockCmd is `stocktake clock`.
type clockCmd struct {
	Get     clockGet     `cmd:"" help:"Show the time of a server."`
	Advance clockAdvance `cmd:"" help:"Move the time of a server ahead; all that falls due on the way happens, in its order."`
}

// Help is shown by --help below the commands.
func (clockCmd) Help() string {
	return `The server must have been started with --clock-control.

Example:
  stocktake serve --clock-control &
  stocktake clock advance 720h      # a month of schedules`
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

func (r *remote) ask(ctx context.Context, con console, method, query string) error {
	k, err := r.key()
	if err != nil {
		return err
	}
	base := r.Endpoint
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+clockPath+query, nil)
	if err != nil {
		return usagef("--endpoint: %w", err)
	}
	signer := signature.Credentials{ID: k.ID, Secret: k.Secret, Token: k.Token}
	if err := signature.Sign(req, clockTarget, signer, r.Region, signature.V4, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return err
	}
	var reply clockReply
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &reply) != nil {
		if resp.StatusCode == http.StatusNotFound {
			return errors.New("the server does not let its clock be moved: start it with --clock-control")
		}
		return fmt.Errorf("the server answered %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	_, err = fmt.Fprintln(con.out, reply.Now.UTC().Format(time.RFC3339))
	return err
}
