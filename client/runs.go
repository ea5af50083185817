package client

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/inventoryxml"
)

// extension is the sub-resource parameter of what Stocktake adds to the API. It
// starts with x-oss- so that Signature V1 covers it too.
const extension = "x-oss-stocktake"

// Replace replaces the configuration that has the id of cfg in one step, or returns
// [stocktake.ErrNoSuchInventory]. The replacement is atomic: either the old or the new one exists.
// History, retention and suspension stay, and a run in progress uses the old one to its end. OSS
// does not support this: see [ErrNotSupported].
func (c *Client) Replace(ctx context.Context, bucket string, cfg stocktake.InventoryConfiguration) (status stocktake.InventoryStatus, err error) {
	op := operation{name: "ReplaceBucketInventory", method: http.MethodPost, bucket: bucket, id: cfg.ID, action: "replace inventory"}
	op.body = inventoryxml.Append(nil, &cfg)
	if err := checkLossless(cfg, op.body); err != nil {
		return status, op.failed(err)
	}
	err = c.extension(ctx, "replace", op, &status)
	return status, err
}

// Run starts a run of a configuration now, independent of its schedule. If a run is already in
// progress, Run returns that one.
func (c *Client) Run(ctx context.Context, bucket, id string) (run stocktake.Run, err error) {
	err = c.extension(ctx, "run", operation{
		name: "RunBucketInventory", method: http.MethodPost, bucket: bucket, id: id, action: "run inventory",
	}, &run)
	return run, err
}

// Cancel ends the run in progress, which publishes nothing, and returns it;
// [stocktake.ErrNoSuchRun] if there is none.
func (c *Client) Cancel(ctx context.Context, bucket, id string) (run stocktake.Run, err error) {
	err = c.extension(ctx, "cancel", operation{
		name: "CancelBucketInventory", method: http.MethodPost, bucket: bucket, id: id, action: "cancel the run of inventory",
	}, &run)
	return run, err
}

// Runs returns the kept history of a configuration, newest first.
func (c *Client) Runs(ctx context.Context, bucket, id string) ([]stocktake.Run, error) {
	var result struct {
		Runs []stocktake.Run `json:"runs"`
	}
	err := c.extension(ctx, "runs", operation{
		name: "ListBucketInventoryRuns", method: http.MethodGet, bucket: bucket, id: id, action: "list runs of inventory",
	}, &result)
	return result.Runs, err
}

// Status returns the status of one configuration, or with id "" that of all
// configurations of the bucket, by id.
func (c *Client) Status(ctx context.Context, bucket, id string) ([]stocktake.InventoryStatus, error) {
	var result struct {
		Inventories []stocktake.InventoryStatus `json:"inventories"`
	}
	op := operation{name: "GetBucketInventoryStatus", method: http.MethodGet, bucket: bucket, id: id, action: "status of inventory"}
	if id == "" {
		op.action = "status of inventories"
	}
	err := c.extension(ctx, "status", op, &result)
	return result.Inventories, err
}

// Work returns the machines, and their tasks of the runs of one configuration, or
// with id "" of all of the bucket.
func (c *Client) Work(ctx context.Context, bucket, id string) (work stocktake.Work, err error) {
	op := operation{name: "GetBucketInventoryWork", method: http.MethodGet, bucket: bucket, id: id, action: "who works on inventory"}
	if id == "" {
		op.action = "who works on inventories"
	}
	err = c.extension(ctx, "work", op, &work)
	return work, err
}

// Suspend keeps a configuration from falling due until Resume. A run in progress
// continues. The configuration itself is not changed.
func (c *Client) Suspend(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
	return c.control(ctx, "suspend", operation{name: "SuspendBucketInventory", bucket: bucket, id: id, action: "suspend inventory"})
}

// Resume ends what Suspend began.
func (c *Client) Resume(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
	return c.control(ctx, "resume", operation{name: "ResumeBucketInventory", bucket: bucket, id: id, action: "resume inventory"})
}

// Check makes the checks of a run now and reports what would make a run fail
// among the warnings. If none of them fails, the server writes a file of some
// 100 KB to the destination, reads it back and removes it.
func (c *Client) Check(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
	return c.control(ctx, "check", operation{name: "CheckBucketInventory", bucket: bucket, id: id, action: "check inventory"})
}

// Retain sets which reports of a configuration are kept: those that either number keeps, and always
// the newest; the zero Retention keeps all. Other reports are removed after the next run that
// succeeds.
func (c *Client) Retain(ctx context.Context, bucket, id string, r stocktake.Retention) (stocktake.InventoryStatus, error) {
	return c.control(ctx, "retain", operation{
		name: "RetainBucketInventoryReports", bucket: bucket, id: id, action: "set the retention of inventory",
		parameters: map[string]string{extension + "-reports": strconv.Itoa(r.Reports), extension + "-days": strconv.Itoa(r.Days)},
	})
}

func (c *Client) control(ctx context.Context, action string, op operation) (status stocktake.InventoryStatus, err error) {
	op.method = http.MethodPost
	err = c.extension(ctx, action, op, &status)
	return status, err
}

// extension calls what Stocktake adds to the API and reads its JSON into result.
func (c *Client) extension(ctx context.Context, action string, op operation, result any) error {
	if op.parameters == nil {
		op.parameters = map[string]string{}
	}
	op.parameters[extension] = action
	call := c.callForID
	if action == "status" || action == "work" {
		call = c.call
	}
	answer, err := call(ctx, op)
	if err != nil {
		return orNotSupported(err)
	}
	// OSS ignores unknown parameters and would answer with the configuration itself.
	if kind, _, err := mime.ParseMediaType(answer.header.Get("Content-Type")); err != nil || kind != "application/json" {
		return op.failed(ErrNotSupported)
	}
	return op.failed(json.Unmarshal(answer.body, result))
}
