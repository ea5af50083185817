package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

// noticeCmd is `stocktake notice`.
type noticeCmd struct {
	List  noticeList  `cmd:"" help:"List notices that could not be delivered."`
	Retry noticeRetry `cmd:"" help:"Deliver notices again."`
	Drop  noticeDrop  `cmd:"" help:"Drop notices that could not be delivered."`
}

type noticeList struct {
	remote
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists notices.
func (c *noticeList) Run(ctx context.Context, con console) error {
	all, err := c.dead(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printLines(con.out, all)
	}
	t := newTable(con.out, "NOTICE", "WEBHOOK", "EVENT", "BUCKET", "CONFIGURATION", "MADE", "ATTEMPTS", "ERROR")
	for _, n := range all {
		var what struct {
			Event string
			Run   stocktake.Run
		}
		if err := json.Unmarshal(n.Notice, &what); err != nil {
			return fmt.Errorf("notice %s: %w", n.ID, err)
		}
		t.row(n.ID, n.Webhook, what.Event, what.Run.Bucket, what.Run.Configuration, when(n.Made), n.Attempts, n.Error)
	}
	return t.flush("no undelivered notices")
}

// dead reads all notices that were given up, by id.
func (r *remote) dead(ctx context.Context) (all []client.DeadNotice, err error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	for n, err := range admin.DeadNotices(ctx) {
		if err != nil {
			return nil, r.refused(err)
		}
		all = append(all, n)
	}
	return all, nil
}

// someNotices is the argument of what changes notices.
type someNotices struct {
	remote
	jsonFlag
	IDs []string `arg:"" optional:"" name:"notice" help:"Ids from notice list."`
	All bool     `help:"All notices that could not be delivered."`
}

// change carries out an action on each notice and says so. One that fails does
// not keep the others from it.
func (c *someNotices) change(ctx context.Context, con console, action func(*client.Admin, context.Context, string) error, done string) error {
	switch {
	case c.All && len(c.IDs) > 0:
		return usagef("name notices or use --all, not both")
	case !c.All && len(c.IDs) == 0:
		return usagef("name notices (stocktake notice list), or use --all")
	}
	if c.All {
		all, err := c.dead(ctx)
		if err != nil {
			return err
		}
		for _, n := range all {
			c.IDs = append(c.IDs, n.ID)
		}
	}
	admin, err := c.admin()
	if err != nil {
		return err
	}
	var errs []error
	var changed noticesChanged
	for _, id := range c.IDs {
		err := action(admin, ctx, id)
		refused, ok := errors.AsType[*client.AdminError](err)
		switch {
		case err == nil:
			changed.Notices = append(changed.Notices, id)
		case !ok:
			return c.refused(err)
		case refused.StatusCode == http.StatusNotFound || refused.StatusCode == http.StatusConflict:
			errs = append(errs, fmt.Errorf("notice %s: %s", printable(id), refused.Message))
		default:
			return fmt.Errorf("notice %s: %w", printable(id), err)
		}
	}
	if err := c.say(con, changed, "%s %s", many(int64(len(changed.Notices)), "notice"), done); err != nil {
		return err
	}
	return errors.Join(errs...)
}

type noticesChanged struct {
	Notices []string `json:"notices"` // ids of those that were changed
}

type (
	noticeRetry struct{ someNotices }
	noticeDrop  struct{ someNotices }
)

// Run delivers notices again.
func (c *noticeRetry) Run(ctx context.Context, con console) error {
	return c.change(ctx, con, (*client.Admin).RetryNotice, "queued again")
}

// Run forgets notices.
func (c *noticeDrop) Run(ctx context.Context, con console) error {
	return c.change(ctx, con, (*client.Admin).DropNotice, "dropped")
}
