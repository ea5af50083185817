package ossapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/inventoryxml"
)

// inventoryID returns the parameter inventoryId, which is required.
func (c *call) inventoryID() (string, error) {
	id := c.query.Get("inventoryId")
	if id == "" {
		return "", errNoInventoryID
	}
	return id, nil
}

// inventoryIDIfAny returns the parameter inventoryId, or "" if it is missing.
func (c *call) inventoryIDIfAny() (string, error) {
	if !c.query.Has("inventoryId") {
		return "", nil
	}
	return c.inventoryID()
}

// putInventory answers PutBucketInventory. The checks run in the order of
// spec/inventory-api.md, section 2.6: caller, bucket and right are checked before
// this call; the service makes the checks that need other state.
func (c *call) putInventory() error {
	cfg, err := c.configuration()
	if err != nil {
		return err
	}
	if err := c.Inventories.Put(c.ctx, c.at.Bucket, cfg); err != nil {
		return err
	}
	c.logInventory("put", cfg.ID, "after", auditDigest(inventoryxml.Append(nil, &cfg)))
	return c.empty(http.StatusOK)
}

// replaceInventory answers POST ?inventory&inventoryId&x-oss-stocktake=replace. The
// body is a document of PutBucketInventory, the answer the status of the
// configuration. It requires the rights to put and to delete a configuration.
func (c *call) replaceInventory() error {
	if err := c.allow("oss:DeleteBucketInventory"); err != nil {
		return err
	}
	cfg, err := c.configuration()
	if err != nil {
		return err
	}
	before, status, err := c.Inventories.Replace(c.ctx, c.at.Bucket, cfg)
	if err != nil {
		return err
	}
	c.logInventory("replaced", cfg.ID, "before", inventoryDigest(before, &status), "after", inventoryDigest(inventoryxml.Append(nil, &cfg), &status))
	return c.json(status)
}

// configuration reads the configuration in the request and makes the checks that do
// not need the service.
func (c *call) configuration() (cfg stocktake.InventoryConfiguration, err error) {
	id, err := c.inventoryID()
	if err != nil {
		return cfg, err
	}
	doc, err := c.body.Document(inventoryxml.MaxSize)
	if err != nil {
		return cfg, err
	}
	cfg, err = inventoryxml.ParsePut(doc, stocktake.InventoryRules{
		ID: id, AccountID: c.bucket.Owner,
		StrictVersions: c.StrictVersions, Versioned: c.bucket.Versioning == object.Enabled,
		OSSClasses: !c.bucket.S3,
	})
	if err != nil {
		return cfg, err
	}
	return cfg, c.allowPassRole(cfg.Destination.RoleARN)
}

// allowPassRole checks, if the settings require it, that the caller may pass a role
// to the service.
func (c *call) allowPassRole(arn string) error {
	if !c.RequirePassRole {
		return nil
	}
	return c.Access.PassRole(c.who, arn, ram.Request{SourceIP: c.sourceIP(), Secure: c.r.TLS != nil, Time: c.Now(), Conditions: c.conditions()})
}

// getInventory answers GetBucketInventory.
func (c *call) getInventory() error {
	id, err := c.inventoryID()
	if err != nil {
		return err
	}
	doc, err := c.Inventories.Get(c.ctx, c.at.Bucket, id)
	if err != nil {
		return err
	}
	return c.document(http.StatusOK, "application/xml", doc)
}

// listInventories answers ListBucketInventory. A token is the id of the last
// configuration on the previous page.
func (c *call) listInventories() error {
	token := c.query.Get("continuation-token")
	page, next, err := c.Inventories.List(c.ctx, c.at.Bucket, token, stocktake.InventoryPageSize)
	if err != nil {
		return err
	}
	return c.document(http.StatusOK, "application/xml", inventoryxml.AppendList(nil, page, token, next, next != ""))
}

// deleteInventory answers DeleteBucketInventory.
func (c *call) deleteInventory() error {
	id, err := c.inventoryID()
	if err != nil {
		return err
	}
	document, before, err := c.inventoryBefore(id)
	if err != nil && !errors.Is(err, stocktake.ErrNoSuchInventory) {
		return err
	}
	if err := c.Inventories.Delete(c.ctx, c.at.Bucket, id); err != nil {
		return err
	}
	c.logInventory("deleted", id, "before", inventoryDigest(document, &before))
	return c.empty(http.StatusNoContent)
}

// runInventory answers POST ?inventory&inventoryId&x-oss-stocktake=run with the run
// that it started, or with the one already in progress.
func (c *call) runInventory() error { return c.actOnRun("run requested", c.Inventories.Run) }

// cancelRun answers POST ...&x-oss-stocktake=cancel with the cancelled run.
func (c *call) cancelRun() error { return c.actOnRun("run cancelled", c.Inventories.Cancel) }

// listRuns answers GET ...&x-oss-stocktake=runs with {"runs":[...]}, newest first.
func (c *call) listRuns() error {
	id, err := c.inventoryID()
	if err != nil {
		return err
	}
	runs, err := c.Inventories.Runs(c.ctx, c.at.Bucket, id)
	if err != nil {
		return err
	}
	return c.json(struct {
		Runs []stocktake.Run `json:"runs"`
	}{notNil(runs)})
}

// inventoryStatus answers GET ...&x-oss-stocktake=status with
// {"inventories":[...]}, in order of the ids. Without inventoryId it covers all of
// the bucket.
func (c *call) inventoryStatus() error {
	id, err := c.inventoryIDIfAny()
	if err != nil {
		return err
	}
	status, err := c.Inventories.Status(c.ctx, c.at.Bucket, id)
	if err != nil {
		return err
	}
	return c.json(struct {
		Inventories []stocktake.InventoryStatus `json:"inventories"`
	}{notNil(status)})
}

// inventoryWork answers GET ...&x-oss-stocktake=work with the [stocktake.Work] of
// one configuration. Without inventoryId it covers all of the bucket.
func (c *call) inventoryWork() error {
	id, err := c.inventoryIDIfAny()
	if err != nil {
		return err
	}
	work, err := c.Inventories.Work(c.ctx, c.at.Bucket, id)
	if err != nil {
		return err
	}
	work.Machines, work.Runs = notNil(work.Machines), notNil(work.Runs)
	return c.json(work)
}

// suspendInventory answers POST ...&x-oss-stocktake=suspend.
func (c *call) suspendInventory() error { return c.actOnInventory("suspended", c.Inventories.Suspend) }

// resumeInventory answers POST ...&x-oss-stocktake=resume.
func (c *call) resumeInventory() error { return c.actOnInventory("resumed", c.Inventories.Resume) }

// checkInventory answers POST ...&x-oss-stocktake=check.
func (c *call) checkInventory() error { return c.actOnInventory("", c.Inventories.Check) }

// retainReports answers POST ...&x-oss-stocktake=retain with the number of
// reports and of days to keep; a number that is missing is 0.
func (c *call) retainReports() error {
	var r stocktake.Retention
	var err error
	if r.Reports, err = c.query.Int(request.Extension+"-reports", 0, 0, math.MaxInt32); err != nil {
		return err
	}
	if r.Days, err = c.query.Int(request.Extension+"-days", 0, 0, math.MaxInt32); err != nil {
		return err
	}
	return c.actOnInventory(fmt.Sprintf("retention set to %d reports, %d days", r.Reports, r.Days), func(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error) {
		return c.Inventories.Retain(ctx, bucket, id, r)
	})
}

// notNil replaces a nil list by an empty one, which JSON shows as [].
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// json answers 200 with a JSON document of an operation that OSS does not have.
func (c *call) json(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.document(http.StatusOK, "application/json", append(body, '\n'))
}

// logInventory logs a change of a configuration or of its runs, and who made it.
func (c *call) logInventory(change, id string, attrs ...any) {
	c.audit("inventory configuration "+change, id, attrs...)
}

func (c *call) actOnRun(change string, act func(ctx context.Context, bucket, id string) (stocktake.Run, error)) error {
	id, err := c.inventoryID()
	if err != nil {
		return err
	}
	run, err := act(c.ctx, c.at.Bucket, id)
	if err != nil {
		return err
	}
	c.logInventory(change, id)
	return c.json(run)
}

// actOnInventory carries out an action and answers with the status of the
// configuration. An empty change means that the action changes nothing.
func (c *call) actOnInventory(change string, act func(ctx context.Context, bucket, id string) (stocktake.InventoryStatus, error)) error {
	id, err := c.inventoryID()
	if err != nil {
		return err
	}
	var document []byte
	var before stocktake.InventoryStatus
	if change != "" {
		if document, before, err = c.inventoryBefore(id); err != nil {
			return err
		}
	}
	status, err := act(c.ctx, c.at.Bucket, id)
	if err != nil {
		return err
	}
	if change != "" {
		c.logInventory(change, id, "before", inventoryDigest(document, &before), "after", inventoryDigest(document, &status))
	}
	return c.json(status)
}

// inventoryDigest returns the digest of a configuration. It covers the document
// and, if one of them is set, the suspension and the retention.
func inventoryDigest(document []byte, s *stocktake.InventoryStatus) string {
	if len(document) == 0 || !s.Suspended && s.Retention == (stocktake.Retention{}) {
		return auditDigest(document)
	}
	more, err := json.Marshal(struct {
		Suspended bool
		Retention stocktake.Retention
	}{s.Suspended, s.Retention})
	if err != nil {
		return "" // unreachable: numbers and a flag can be encoded
	}
	return auditDigest(append(slices.Clip(document), more...))
}

// inventoryBefore returns the document and the status of a configuration that is
// about to be changed, for the audit line.
func (c *call) inventoryBefore(id string) (document []byte, status stocktake.InventoryStatus, err error) {
	if document, err = c.Inventories.Get(c.ctx, c.at.Bucket, id); err != nil {
		return nil, status, err
	}
	all, err := c.Inventories.Status(c.ctx, c.at.Bucket, id)
	if err != nil {
		return nil, status, err
	}
	return document, all[0], nil
}
