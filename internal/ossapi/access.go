package ossapi

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
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

// authenticate proves who sent the request; the zero identity is an anonymous
// caller.
func (c *call) authenticate() (err error) {
	if c.who, err = c.at.Authenticate(c.r, c.Access, c.Now()); err != nil {
		return c.unknownKey(err)
	}
	c.known = true
	return nil
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

func (c *call) anonymous() bool { return c.who.Anonymous() }

// account returns the account that the caller belongs to; empty for anonymous
// callers.
func (c *call) account() string { return c.who.Account }

// authorize checks that the caller may do the operation.
func (c *call) authorize() error {
	action := c.op.Action
	if c.op.VersionAction != "" && c.query.Has("versionId") {
		action = c.op.VersionAction
	}
	if action == "" {
		return nil // the handler checks the rights itself
	}
	return c.allow(action)
}

// allow checks that the caller may do action on what the URL names.
func (c *call) allow(action string) error {
	return c.allowOn(action, &c.bucket, c.at.Key, c.query.Get("versionId"))
}

// allowKey does the same for another object of the bucket.
func (c *call) allowKey(action, key string) error { return c.allowOn(action, &c.bucket, key, "") }

// allowOn does the same for a version of an object of any bucket; an empty key
// means the bucket itself.
func (c *call) allowOn(action string, b *object.Bucket, key, version string) error {
	return c.decide(c.decider(action, b), b, key, version)
}

// allowPassRole checks, if the settings require it, that the caller may pass a role
// to the service.
func (c *call) allowPassRole(arn string) error {
	if !c.RequirePassRole {
		return nil
	}
	return c.Access.PassRole(c.who, arn, ram.Request{SourceIP: c.sourceIP(), Secure: c.r.TLS != nil, Time: c.Now(), Conditions: c.conditions()})
}

// decider returns the decider of the caller's action on keys of b.
func (c *call) decider(action string, b *object.Bucket) *ram.Decider {
	q := ram.BucketRequest(action, b, "")
	q.SourceIP, q.Secure, q.Time = c.sourceIP(), c.r.TLS != nil, c.Now()
	if c.who.Kind != ram.KindAccount || q.Policy != nil {
		q.Conditions = c.conditions()
	}
	return c.Access.Decider(c.who, q)
}

// decide applies a decider to a version of an object, or to the bucket itself if
// key is empty. It fails early if the client has disconnected.
func (c *call) decide(d *ram.Decider, b *object.Bucket, key, version string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	err := c.decideWithACL(d, b, key, version)
	if err == nil && b.RequesterPays && c.account() != b.Owner && !c.offersToPay() {
		return errRequesterPays
	}
	return err
}

// offersToPay reports whether the sender of a request offers to pay for it.
// Anonymous callers cannot offer to pay.
//
// Source: OSS API reference, x-oss-request-payer.
func (c *call) offersToPay() bool {
	payer := cmp.Or(c.r.Header.Get("X-Oss-Request-Payer"), c.query.Get("x-oss-request-payer"))
	return !c.anonymous() && strings.EqualFold(payer, "requester")
}

// decideWithACL decides without the ACL first, because most callers do not need it.
// It reads the object's ACL only if that decision is negative.
func (c *call) decideWithACL(d *ram.Decider, b *object.Bucket, key, version string) error {
	err := d.Allowed(key, stocktake.Private)
	if err == nil || key == "" && b.ACL == stocktake.Private || b.BlockPublicAccess || b.Owner == "" {
		return err
	}
	acl := stocktake.DefaultACL
	if key != "" {
		info, headErr := c.Store.Head(c.ctx, object.Version{Bucket: b.Name, Key: key, ID: version})
		switch {
		case headErr == nil:
			acl = info.ACL
		case !errors.Is(headErr, object.ErrNoSuchKey) && !errors.Is(headErr, object.ErrNoSuchVersion) && !errors.Is(headErr, object.ErrMethodNotAllowed):
			return headErr // an unknown ACL allows nothing
		}
	}
	return d.Allowed(key, acl)
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

func (c *call) sourceIP() netip.Addr {
	from, err := netip.ParseAddrPort(c.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// origin returns the origin that is recorded with the changes of this request.
func (c *call) origin() object.Origin {
	by := object.Origin{Principal: c.who.ID, Request: c.id, Address: c.sourceIP()}
	if c.anonymous() {
		by.Principal = object.Anonymous
	}
	return by
}

// audit logs a change that the caller has made to the bucket or to one of its
// configurations, with the caller, the request and its address.
func (c *call) audit(change, configuration string, attrs ...any) {
	by := c.origin()
	line := []any{"bucket", c.at.Bucket}
	if configuration != "" {
		line = append(line, "configuration", configuration)
	}
	line = append(line, "principal", by.Principal, "request", by.Request, "address", by.Address, "operation", c.opName())
	c.Audit.InfoContext(c.ctx, change, append(line, attrs...)...)
}

// auditDigest returns the digest of a document in audit lines. Equal documents have
// equal digests, and a digest does not reveal a policy or a tag. An empty document
// has an empty digest.
func auditDigest(document []byte) string {
	if len(document) == 0 {
		return ""
	}
	sum := sha256.Sum256(document)
	return "sha256:" + hex.EncodeToString(sum[:])
}
