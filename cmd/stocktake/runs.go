package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

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
		if r, err = wait(ctx, cl, r, con.err); err != nil {
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

// wait is follow for a run that goes on if it is left.
func wait(ctx context.Context, cl *client.Client, r stocktake.Run, w io.Writer) (stocktake.Run, error) {
	r, err := follow(ctx, cl, r, w)
	if ctx.Err() != nil && err != nil {
		fmt.Fprintf(w, "the run goes on; to end it: stocktake inventory cancel -b %s -i %s\n", r.Bucket, printable(r.Configuration))
	}
	return r, err
}

// runError is the error of a command that wanted the run to succeed, and has
// printed it with its reason.
func runError(r stocktake.Run) error {
	if r.State == stocktake.Failed || r.State == stocktake.Cancelled || r.State == stocktake.Skipped {
		return fmt.Errorf("run %s %s", r.ID, r.State)
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
