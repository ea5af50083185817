package ossapi

import (
	"cmp"
	"errors"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ram"
)

// Access maps access keys to their owners and decides what an owner may do.
// [ram.Directory] implements it.
type Access interface {
	request.Keys

	// PassRole returns nil, a *ram.DeniedError or ram.ErrInvalidName.
	PassRole(who ram.Identity, arn string, q ram.Request) error

	// Decider returns the decider of an action on the keys of a bucket.
	Decider(who ram.Identity, q ram.Request) *ram.Decider
}

// unknownKey returns the error for an access key that does not exist. OSS answers
// NoSuchBucket to such callers if the bucket is missing, except in PutBucket,
// PutBucketAcl and the inventory operations, which authenticate first.
//
// Source: Go SDK v2, TestClientExtension; spec/inventory-api.md, section 2.6.
func (c *call) unknownKey(err error) error {
	if !errors.Is(err, ram.ErrNoSuchAccessKey) || c.at.Bucket == "" || c.query.Has("inventory") {
		return err
	}
	_, missing := c.Buckets.Bucket(c.ctx, c.at.Bucket)
	creates := c.r.Method == "PUT" && c.at.Key == "" && (len(c.query) == 0 || c.query.Has("acl"))
	if creates || !errors.Is(missing, stocktake.ErrNoSuchBucket) {
		return err
	}
	return missing
}

// storedACL returns the ACL of a version of an object; that of new objects for the
// bucket itself and for what does not exist. After an error the ACL is unknown and
// allows nothing.
func (c *call) storedACL(bucket, key, version string) (stocktake.ACL, error) {
	if key == "" {
		return stocktake.DefaultACL, nil
	}
	info, err := c.Store.Head(c.ctx, object.Version{Bucket: bucket, Key: key, ID: version})
	switch {
	case err == nil:
		return info.ACL, nil
	case errors.Is(err, object.ErrNoSuchKey) || errors.Is(err, object.ErrNoSuchVersion) || errors.Is(err, object.ErrMethodNotAllowed):
		return stocktake.DefaultACL, nil
	}
	return stocktake.DefaultACL, err
}

// account returns the account that the caller belongs to; empty for anonymous
// callers.
func (c *call) account() string { return c.who.Account }

// allowKey does the same for another object of the bucket.
func (c *call) allowKey(action, key string) error { return c.allowOn(action, &c.bucket, key, "") }

// offersToPay reports whether the sender of a request offers to pay for it.
// Anonymous callers cannot offer to pay.
//
// Source: OSS API reference, x-oss-request-payer.
func (c *call) offersToPay() bool {
	payer := cmp.Or(c.r.Header.Get("X-Oss-Request-Payer"), c.query.Get("x-oss-request-payer"))
	return !c.anonymous() && strings.EqualFold(payer, "requester")
}

// conditions returns the values of the condition keys that policies may use for
// the operation.
func (c *call) conditions() map[string]string {
	m := map[string]string{"acs:UserAgent": c.r.UserAgent()}
	for _, k := range c.op.Conditions {
		m[k.Key] = c.query.Get(k.Parameter)
	}
	return m
}
