package ossapi

import (
	"net/http"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/ram"
)

// putBucketPolicy answers PutBucketPolicy.
func (c *call) putBucketPolicy() error {
	doc, err := c.body.Document(request.MaxDocument)
	if err != nil {
		return err
	}
	policy, err := ram.ParsePolicy(ram.BucketPolicy, doc)
	if err != nil {
		return err
	}
	return c.update(http.StatusOK, func(b *object.Bucket) error {
		if policy.Public() && b.BlockPublicAccess {
			return errPublicPolicy
		}
		b.Policy = doc
		return nil
	})
}

// getBucketPolicy answers GetBucketPolicy: the policy as it was put.
func (c *call) getBucketPolicy() error {
	doc := c.bucket.Policy
	if doc == nil {
		return errNoPolicy
	}
	return c.document(http.StatusOK, "application/json", doc)
}

// deleteBucketPolicy answers DeleteBucketPolicy.
func (c *call) deleteBucketPolicy() error {
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) { b.Policy = nil })
}

// getBucketPolicyStatus answers GetBucketPolicyStatus: whether the policy allows
// anything to everyone. A bucket without a policy is not public.
func (c *call) getBucketPolicyStatus() error {
	public := false
	if c.bucket.Policy != nil {
		policy, err := ram.ParsePolicy(ram.BucketPolicy, c.bucket.Policy)
		if err != nil {
			return err
		}
		public = policy.Public()
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("PolicyStatus")
		x.Bool("IsPublic", public)
		x.End("PolicyStatus")
	})
}
