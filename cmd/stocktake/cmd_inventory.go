package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/terminal"
)

// inventoryCmd is `stocktake inventory`.
type inventoryCmd struct {
	Put     inventoryPut     `cmd:"" help:"Add a configuration, from flags or from an XML or YAML file."`
	Get     inventoryGet     `cmd:"" help:"Show a configuration."`
	List    inventoryList    `cmd:"" aliases:"ls" help:"List the configurations of a bucket."`
	Delete  inventoryDelete  `cmd:"" help:"Delete a configuration. Its reports are kept."`
	Run     inventoryRun     `cmd:"" help:"Start a run now, independent of the schedule."`
	Cancel  inventoryCancel  `cmd:"" help:"Cancel the current run."`
	Runs    inventoryRuns    `cmd:"" help:"Show the runs of a configuration, newest first."`
	Suspend inventorySuspend `cmd:"" help:"Suspend scheduled runs."`
	Resume  inventoryResume  `cmd:"" help:"Resume scheduled runs."`
	Retain  inventoryRetain  `cmd:"" help:"Set which reports are kept. Others are removed."`
	Check   inventoryCheck   `cmd:"" help:"Check whether the next run would fail: destination, role, key and a test write. Exit code 1 if so."`
	Status  inventoryStatus  `cmd:"" help:"Show the status of the configurations of one bucket or of all."`
}

type bucketFlag struct {
	Bucket string `help:"Source bucket." required:"" short:"b"`
}

type idFlag struct {
	bucketFlag
	ID string `name:"inventory-id" aliases:"inventory_id,id" help:"Id of the configuration." required:"" short:"i"`
}

// reportFolder returns where the reports of a configuration lie: bucket and key
// prefix.
func reportFolder(cfg stocktake.InventoryConfiguration, source string) string {
	folder := cfg.Destination.Bucket + "/"
	if cfg.Destination.Prefix != "" {
		folder += cfg.Destination.Prefix + "/"
	}
	return folder + source + "/" + cfg.ID + "/"
}

// follow waits for a run to end and keeps a progress line on w.
func follow(ctx context.Context, cl *client.Client, r stocktake.Run, w io.Writer) (stocktake.Run, error) {
	line := newProgressLine(w)
	defer line.Clear()
	r, err := cl.Wait(ctx, r, line.show)
	if err != nil {
		return r, explain(err, "wait for run "+r.ID)
	}
	return r, nil
}

// wait is follow for a run that continues if the command is interrupted.
func wait(ctx context.Context, cl *client.Client, r stocktake.Run, w io.Writer) (stocktake.Run, error) {
	r, err := follow(ctx, cl, r, w)
	if ctx.Err() != nil && err != nil {
		sayf(w, "the run continues; to cancel it: stocktake inventory cancel -b %s -i %s\n", printable(r.Bucket), printable(r.Configuration))
	}
	return r, err
}

// runError returns the error of a command that needs the run to succeed and has
// printed the run with its reason.
func runError(r stocktake.Run) error {
	if r.State == stocktake.Failed || r.State == stocktake.Cancelled || r.State == stocktake.Skipped {
		return fmt.Errorf("run %s %s", r.ID, r.State)
	}
	return nil
}

// printRun prints a run for people or for programs.
func printRun(w io.Writer, out jsonFlag, r stocktake.Run) error {
	if out.JSON {
		return terminal.PrintJSON(w, r)
	}
	sayf(w, "%s\n", printable(fmt.Sprintf("run %s of %s on bucket %s: %s", r.ID, r.Configuration, r.Bucket, r.State)))
	if r.Reason != "" {
		sayf(w, "  reason   %s\n", printable(r.Reason))
	}
	if r.State == stocktake.Queued {
		return nil
	}
	sayf(w, "  listed   %s, matched %s of %s\n", many(r.Listed, "object"), count(r.Matched), size(r.Bytes))
	sayf(w, "  took     %s%s\n", runTime(r).Round(time.Millisecond), rate(r))
	if r.State != stocktake.Succeeded {
		return nil
	}
	if r.Manifest == "" {
		_, err := sayln(w, "  report   none: no object matched")
		return err
	}
	_, err := sayf(w, "  report   oss://%s/%s (%s, %s)\n", printable(r.Destination), printable(r.Manifest), many(int64(r.Shards), "shard"), size(r.Written))
	return err
}
