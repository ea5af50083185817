package ossapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putPublicAccessBlock answers PutBucketPublicAccessBlock.
func (c *call) putPublicAccessBlock() error {
	doc, err := c.body.XML("PublicAccessBlockConfiguration", request.MaxDocument)
	if err != nil {
		return err
	}
	switch v := doc.Value("BlockPublicAccess"); strings.ToLower(v) {
	case "true":
		return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.BlockPublicAccess = true })
	case "false":
		return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.BlockPublicAccess = false })
	default:
		return request.InvalidArgument("BlockPublicAccess", v, "true or false is expected")
	}
}

// getPublicAccessBlock answers GetBucketPublicAccessBlock.
func (c *call) getPublicAccessBlock() error {
	return c.xml(func(x *ossxml.Writer) {
		x.Start("PublicAccessBlockConfiguration")
		x.Bool("BlockPublicAccess", c.bucket.BlockPublicAccess)
		x.End("PublicAccessBlockConfiguration")
	})
}

// deletePublicAccessBlock answers DeleteBucketPublicAccessBlock.
func (c *call) deletePublicAccessBlock() error {
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) { b.BlockPublicAccess = false })
}

// defaultGroup is the resource group of buckets that were created without one.
const defaultGroup = "rg-default"

func resourceGroup(b *object.Bucket) string { return cmp.Or(b.ResourceGroup, defaultGroup) }

// validGroup reports whether id has the form of a resource group id: "rg-" and up
// to 60 lower-case letters and digits. Groups are only labels here: every id of
// this form is accepted.
func validGroup(id string) bool {
	rest, ok := strings.CutPrefix(id, "rg-")
	if !ok || rest == "" || len(rest) > 60 {
		return false
	}
	for i := range len(rest) {
		if c := rest[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// putResourceGroup answers PutBucketResourceGroup.
func (c *call) putResourceGroup() error {
	doc, err := c.body.XML("BucketResourceGroupConfiguration", request.MaxDocument)
	if err != nil {
		return err
	}
	id := doc.Value("ResourceGroupId")
	if id != "" && !validGroup(id) {
		return errResourceGroup
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.ResourceGroup = id })
}

// getResourceGroup answers GetBucketResourceGroup.
func (c *call) getResourceGroup() error {
	return c.xml(func(x *ossxml.Writer) {
		x.Start("BucketResourceGroupConfiguration")
		x.Text("ResourceGroupId", resourceGroup(&c.bucket))
		x.End("BucketResourceGroupConfiguration")
	})
}

// putRequestPayment answers PutBucketRequestPayment.
func (c *call) putRequestPayment() error {
	doc, err := c.body.XML("RequestPaymentConfiguration", request.MaxDocument)
	if err != nil {
		return err
	}
	v := doc.Value("Payer")
	if v != payerOwner && v != payerRequester {
		return request.InvalidArgument("Payer", v, "BucketOwner or Requester is expected")
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.RequesterPays = v == payerRequester })
}

// getRequestPayment answers GetBucketRequestPayment.
func (c *call) getRequestPayment() error {
	payer := payerOwner
	if c.bucket.RequesterPays {
		payer = payerRequester
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("RequestPaymentConfiguration")
		x.Text("Payer", payer)
		x.End("RequestPaymentConfiguration")
	})
}

// Who pays for requests. Requests are free here, but a caller who is not the owner
// must still offer to pay.
const (
	payerOwner     = "BucketOwner"
	payerRequester = "Requester"
)

// update changes the bucket and answers without a body.
func (c *call) update(status int, change func(*object.Bucket) error) error {
	var before, after string
	err := c.Store.UpdateBucket(c.ctx, c.origin(), c.at.Bucket, func(b *object.Bucket) error {
		before = bucketDigest(b)
		err := change(b)
		after = bucketDigest(b)
		return err
	})
	if err != nil {
		return err
	}
	c.audit("bucket settings changed", "", "before", before, "after", after)
	return c.empty(status)
}

// bucketDigest returns the digest of the stored settings of a bucket.
func bucketDigest(b *object.Bucket) string {
	kept := *b
	kept.Region, kept.Store, kept.Endpoint = "", "", ""
	document, err := json.Marshal(&kept)
	if err != nil {
		return "" // strings, numbers and lists of them
	}
	return auditDigest(document)
}
