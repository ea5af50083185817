package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
)

type inventoryStatus struct {
	remote
	Bucket string        `help:"Source bucket." short:"b" xor:"which" required:""`
	All    bool          `help:"All buckets. Buckets of other stores need a key of the account." xor:"which" required:""`
	ID     string        `name:"inventory-id" aliases:"inventory_id,id" help:"Show only this configuration." short:"i"`
	Work   bool          `help:"Show the servers and the work of each."`
	Watch  bool          `help:"Refresh until interrupted."`
	Every  time.Duration `help:"Refresh interval of --watch." default:"1s"`
	JSON   bool          `help:"Print one JSON object a line."`
}

// Run prints one line a configuration.
func (c *inventoryStatus) Run(ctx context.Context, con console) error {
	if c.Watch && c.Every < 100*time.Millisecond {
		return usagef("--every: must be at least 100ms")
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	look := &statusLook{c, oc, client.New(oc)}
	if c.Watch {
		return c.watch(ctx, con, look)
	}
	show, err := look.look(ctx)
	if err != nil {
		return explain(err, look.doing())
	}
	return show(con.out)
}

// maxPause bounds the pause between two attempts to reach a server that does not answer.
const maxPause = 30 * time.Second

// watch prints the status again and again until ctx ends. A server that has
// answered once may go away and come back.
func (c *inventoryStatus) watch(ctx context.Context, con console, look *statusLook) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause, answered, gone := c.Every, false, false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		show, err := look.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if gone {
				sayln(con.err, "stocktake: the server answers again")
			}
			switch {
			case c.JSON:
			case terminal.Is(con.out):
				terminal.ClearScreen(con.out)
			case answered:
				sayln(con.out)
			}
			if err := show(con.out); err != nil {
				return err
			}
			pause, answered, gone = c.Every, true, false
			timer.Reset(c.Every)
		case answered && away(err):
			sayf(con.err, "stocktake: %s; trying again in %s\n", printable(explain(err, look.doing()).Error()), pause)
			timer.Reset(pause)
			gone = true
			pause = min(2*pause, max(maxPause, c.Every))
		default:
			return explain(err, look.doing())
		}
	}
}

// A statusLook reads the status that the command shows.
type statusLook struct {
	*inventoryStatus
	oc *oss.Client
	cl *client.Client
}

// doing names the attempt in errors.
func (l *statusLook) doing() string {
	if l.All {
		return "status of all buckets"
	}
	if l.ID != "" {
		return "status of " + l.ID + " of bucket " + l.Bucket
	}
	return "status of bucket " + l.Bucket
}

// look asks the server, and returns a function that prints the answer.
func (l *statusLook) look(ctx context.Context) (show func(io.Writer) error, err error) {
	if l.Work {
		work, err := l.work(ctx)
		return func(w io.Writer) error { return printWork(w, &work, l.JSON) }, err
	}
	all, err := l.statuses(ctx)
	if err != nil || l.JSON {
		return func(w io.Writer) error { return terminal.PrintLines(w, all) }, err
	}
	on, err := l.machines(ctx, all)
	return func(w io.Writer) error { return l.print(w, all, on) }, err
}

func (l *statusLook) statuses(ctx context.Context) (all []stocktake.InventoryStatus, err error) {
	buckets := []string{l.Bucket}
	if l.All {
		buckets = nil
		for p := l.oc.NewListBucketsPaginator(&oss.ListBucketsRequest{}); p.HasNext(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, b := range page.Buckets {
				buckets = append(buckets, oss.ToString(b.Name))
			}
		}
		elsewhere, err := l.elsewhere(ctx)
		if err != nil {
			return nil, err
		}
		buckets = append(buckets, elsewhere...)
	}
	for _, b := range buckets {
		s, err := l.cl.Status(ctx, b, l.ID)
		if l.All && (errors.Is(err, stocktake.ErrNoSuchBucket) || errors.Is(err, stocktake.ErrNoSuchInventory)) {
			continue // the bucket was deleted since it was listed; the id is one of other buckets
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	return all, nil
}

// elsewhere returns the buckets of named stores that have configurations. It returns none if the
// key is not that of the account, or the server does not know the request.
func (l *statusLook) elsewhere(ctx context.Context) ([]string, error) {
	admin, err := l.admin()
	if err != nil {
		return nil, err
	}
	names, err := admin.BucketsElsewhere(ctx)
	if refused, ok := errors.AsType[*client.AdminError](err); ok && refused.StatusCode != http.StatusServiceUnavailable {
		return nil, nil
	}
	return names, err
}

// stateOf returns the state of a run and whether it is late, as the metrics count it.
func stateOf(r stocktake.Run) string {
	if r.Late {
		return string(r.State) + ", late"
	}
	return string(r.State)
}

// published returns the time up to which the changes of a bucket are reported.
func published(s *stocktake.IncrementalStatus) string {
	if s == nil {
		return "-"
	}
	return when(s.Published)
}

// print prints one line a configuration; on has the machines that work on a run, by
// its id.
func (c *inventoryStatus) print(w io.Writer, all []stocktake.InventoryStatus, on map[string]string) error {
	t := terminal.NewTable(w, "BUCKET", "ID", "FREQUENCY", "NEXT", "LAST RUN", "STATE", "PROGRESS", "LAST SUCCESS", "CHANGES UNTIL", "REASON")
	now := time.Now()
	for _, s := range all {
		freq, state, progress, last, reason := string(s.Frequency), "no run yet", "-", "-", ""
		if !s.Enabled {
			freq += " (disabled)"
		}
		if r := s.Last; r != nil {
			state, progress, last, reason = stateOf(*r)+on[r.ID], progressOf(*r), when(r.Due), r.Reason
		}
		if reason == "" && len(s.Warnings) > 0 {
			reason = "warning: " + strings.Join(s.Warnings, "; ")
		}
		if s.Suspended {
			freq += " (suspended)"
		}
		t.Row(s.Bucket, s.Configuration, freq, when(s.Next), last, state, progress, human.Ago(now, s.Succeeded), published(s.Incremental), reason)
	}
	return t.Flush("no configurations")
}
