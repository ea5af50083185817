package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

type inventoryRun struct {
	remote
	idFlag
	Wait bool `help:"Wait for the run to end, with a progress line; fail if it fails." short:"w"`
	JSON bool `help:"Print the run as JSON."`
}

// Run starts a run, or joins the one that is going.
func (c *inventoryRun) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	r, err := cl.Run(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "run "+c.ID+" of bucket "+c.Bucket)
	}
	if c.Wait {
		if r, err = follow(ctx, cl, r, con.err); err != nil {
			return err
		}
	}
	if c.JSON {
		if err := printJSON(con.out, r); err != nil {
			return err
		}
	} else {
		printRun(con.out, r)
	}
	return runError(r)
}

// follow waits for a run to end and keeps a progress line on w.
func follow(ctx context.Context, cl *client.Client, r stocktake.Run, w io.Writer) (stocktake.Run, error) {
	line := newProgressLine(w)
	defer line.clear()
	r, err := cl.Wait(ctx, r, line.show)
	if err != nil {
		return r, explain(err, "wait for run "+r.ID)
	}
	return r, nil
}

// runError is the error of a command that wanted the run to succeed.
func runError(r stocktake.Run) error {
	if r.State == stocktake.Failed || r.State == stocktake.Cancelled || r.State == stocktake.Skipped {
		return fmt.Errorf("run %s %s: %s", r.ID, r.State, orDash(r.Reason))
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func printRun(w io.Writer, r stocktake.Run) {
	fmt.Fprintf(w, "run %s of %s on bucket %s: %s\n", r.ID, printable(r.Configuration), r.Bucket, r.State)
	if r.Reason != "" {
		fmt.Fprintf(w, "  reason   %s\n", printable(r.Reason))
	}
	if r.State == stocktake.Queued {
		return
	}
	fmt.Fprintf(w, "  listed   %s, matched %s of %s\n", many(r.Listed, "object"), count(r.Matched), size(r.Bytes))
	fmt.Fprintf(w, "  took     %s%s\n", runTime(r).Round(time.Millisecond), rate(r))
	if r.State != stocktake.Succeeded {
		return
	}
	if r.Manifest == "" {
		fmt.Fprintln(w, "  report   none: no object matched")
		return
	}
	fmt.Fprintf(w, "  report   oss://%s/%s (%s, %s)\n", r.Destination, printable(r.Manifest), many(int64(r.Shards), "shard"), size(r.Written))
}

func runTime(r stocktake.Run) time.Duration {
	if r.Started.IsZero() {
		return 0
	}
	if r.Ended.IsZero() {
		return time.Since(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

func rate(r stocktake.Run) string {
	if d := runTime(r); d > 0 && r.Listed > 0 {
		return fmt.Sprintf(" (%s objects/s)", count(int64(float64(r.Listed)/d.Seconds())))
	}
	return ""
}

type inventoryCancel struct {
	remote
	idFlag
}

// Run cancels the run that is going; its shards are removed.
func (c *inventoryCancel) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	r, err := cl.Cancel(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "cancel "+c.ID+" of bucket "+c.Bucket)
	}
	fmt.Fprintf(con.out, "run %s of %s on bucket %s: %s\n", r.ID, r.Configuration, r.Bucket, r.State)
	return nil
}

type inventoryRuns struct {
	remote
	idFlag
	JSON bool `help:"Print one JSON object a line."`
}

// Run prints the history.
func (c *inventoryRuns) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	runs, err := cl.Runs(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "runs of "+c.ID+" of bucket "+c.Bucket)
	}
	if c.JSON {
		return printLines(con.out, runs)
	}
	t := newTable(con.out, "RUN", "STATE", "WHY", "DUE", "TOOK", "LISTED", "MATCHED", "BYTES", "REASON")
	for _, r := range runs {
		t.row(r.ID, r.State, r.Trigger, when(r.Due), runTime(r).Round(time.Millisecond), count(r.Listed), count(r.Matched), size(r.Bytes), r.Reason)
	}
	return t.flush("no runs yet")
}

func printLines[T any](w io.Writer, values []T) error {
	enc := json.NewEncoder(w)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

type inventoryStatus struct {
	remote
	Bucket string        `help:"Source bucket." short:"b" xor:"which" required:""`
	All    bool          `help:"All buckets." xor:"which" required:""`
	ID     string        `name:"inventory-id" aliases:"inventory_id,id" help:"Only this configuration." short:"i"`
	Watch  bool          `help:"Show it again and again until interrupted."`
	Every  time.Duration `help:"How often, with --watch." default:"1s"`
	JSON   bool          `help:"Print one JSON object a line."`
}

// Run prints one line a configuration.
func (c *inventoryStatus) Run(ctx context.Context, con console) error {
	if c.Watch && c.Every < 100*time.Millisecond {
		return usagef("--every: at least 100ms")
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	cl := client.New(oc)
	for {
		all, err := c.statuses(ctx, oc, cl)
		if err != nil {
			return err
		}
		if c.Watch && !c.JSON {
			fmt.Fprint(con.out, "\x1b[H\x1b[2J") // cursor home, clear screen
		}
		if err := c.print(con.out, all); err != nil || !c.Watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

func (c *inventoryStatus) statuses(ctx context.Context, oc *oss.Client, cl *client.Client) (all []stocktake.InventoryStatus, err error) {
	buckets := []string{c.Bucket}
	if c.All {
		buckets = nil
		for p := oc.NewListBucketsPaginator(&oss.ListBucketsRequest{}); p.HasNext(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				return nil, explain(err, "list buckets")
			}
			for _, b := range page.Buckets {
				buckets = append(buckets, oss.ToString(b.Name))
			}
		}
	}
	for _, b := range buckets {
		s, err := cl.Status(ctx, b, c.ID)
		if err != nil {
			return nil, explain(err, "status of bucket "+b)
		}
		all = append(all, s...)
	}
	return all, nil
}

func (c *inventoryStatus) print(w io.Writer, all []stocktake.InventoryStatus) error {
	if c.JSON {
		return printLines(w, all)
	}
	t := newTable(w, "BUCKET", "ID", "FREQUENCY", "NEXT", "LAST RUN", "STATE", "PROGRESS", "REASON")
	for _, s := range all {
		freq, state, progress, last, reason := string(s.Frequency), "no run yet", "-", "-", ""
		if !s.Enabled {
			freq += " (disabled)"
		}
		if r := s.Last; r != nil {
			state, progress, last, reason = string(r.State), progressOf(*r), when(r.Due), r.Reason
		}
		if reason == "" {
			reason = strings.Join(s.Warnings, "; ")
		}
		if s.Suspended {
			freq += " (suspended)"
		}
		t.row(s.Bucket, s.Configuration, freq, when(s.Next), last, state, progress, reason)
	}
	return t.flush("no configurations")
}
