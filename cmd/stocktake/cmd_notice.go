package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/terminal"
)

// noticeCmd is `stocktake notice`.
type noticeCmd struct {
	List  noticeList  `cmd:"" aliases:"ls" help:"List notices that could not be delivered, or all."`
	Retry noticeRetry `cmd:"" help:"Deliver notices again."`
	Drop  noticeDrop  `cmd:"" help:"Drop notices that could not be delivered."`
	Test  noticeTest  `cmd:"" help:"Send a test notice to a webhook. Exit code 1 if it is not received at once."`
}

type noticeList struct {
	remote
	All  bool `help:"List all notices, newest first, including waiting and delivered ones."`
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists notices.
func (c *noticeList) Run(ctx context.Context, con console) error {
	read, none := c.dead, "no undelivered notices"
	if c.All {
		read, none = c.history, "no notices"
	}
	all, err := read(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintLines(con.out, all)
	}
	t := terminal.NewTable(con.out, "NOTICE", "WEBHOOK", "STATE", "EVENT", "BUCKET", "CONFIGURATION", "MADE", "ATTEMPTS", "ERROR")
	for _, n := range all {
		var what struct {
			Event string
			Run   stocktake.Run
		}
		if err := json.Unmarshal(n.Notice, &what); err != nil {
			return fmt.Errorf("notice %s: %w", n.ID, err)
		}
		t.Row(n.ID, n.Webhook, n.State, what.Event, what.Run.Bucket, what.Run.Configuration, when(n.Made), n.Attempts, n.Error)
	}
	return t.Flush(none)
}

// history reads all notices that are kept, the newest first.
func (r *remote) history(ctx context.Context) (all []client.Notice, err error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	for before := ""; ; {
		page, next, err := admin.Notices(ctx, client.NoticeFilter{}, before)
		if err != nil {
			return nil, r.refused(err)
		}
		if all = append(all, page...); next == "" {
			return all, nil
		}
		before = next
	}
}

// dead reads all notices that were given up, by id.
func (r *remote) dead(ctx context.Context) (all []client.Notice, err error) {
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

// someNotices is the argument of verbs that change notices.
type someNotices struct {
	remote
	jsonFlag
	IDs []string `arg:"" optional:"" name:"notice" help:"Ids from notice list."`
	All bool     `help:"All notices that could not be delivered."`
}

// change carries out an action on each notice and prints it. It continues after a
// failure.
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

type noticeTest struct {
	remote
	jsonFlag
	Webhook string `arg:"" help:"Name of the webhook."`
}

// testPatience is how long a test waits for the receiver.
const testPatience = 15 * time.Second

// Run sends a notice and waits for the result of the first attempt.
func (c *noticeTest) Run(ctx context.Context, con console) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	id, err := admin.TestWebhook(ctx, c.Webhook)
	if refused, ok := errors.AsType[*client.AdminError](err); ok && refused.StatusCode == http.StatusConflict {
		return usagef("webhook %s: the server has no such webhook (--webhook, or webhooks in the settings file)", printable(c.Webhook))
	}
	if err != nil {
		return c.refused(err)
	}
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	for {
		page, _, err := admin.Notices(ctx, client.NoticeFilter{}, "")
		if err != nil {
			return c.refused(err)
		}
		i := slices.IndexFunc(page, func(n client.Notice) bool { return n.ID == id })
		if i < 0 {
			return fmt.Errorf("notice %s: it is not among the newest; see stocktake notice list --all", id)
		}
		switch n := page[i]; {
		case n.State == client.NoticeDelivered:
			return c.say(con, n, "webhook %s answered %d", c.Webhook, n.Answer)
		case n.Error != "":
			return errors.Join(c.say(con, n, "webhook %s did not accept the notice", c.Webhook), fmt.Errorf("webhook %s: %s", printable(c.Webhook), printable(n.Error)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("webhook %s: no answer within %s; see stocktake notice list --all", printable(c.Webhook), testPatience)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
