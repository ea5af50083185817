package ossapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// putBucketACL answers PutBucketAcl.
func (c *call) putBucketACL() error {
	acl, err := bucketACL(c.r.Header.Get("X-Oss-Acl"))
	if err != nil {
		return err
	}
	return c.update(http.StatusOK, func(b *object.Bucket) error {
		if acl != stocktake.Private && b.BlockPublicAccess {
			return errPublicBucketACL
		}
		b.ACL = acl
		return nil
	})
}

// getBucketACL answers GetBucketAcl.
func (c *call) getBucketACL() error { return c.accessControl(c.bucket.ACL) }

func (c *call) accessControl(acl stocktake.ACL) error {
	return c.xml(func(x *ossxml.Writer) {
		x.Start("AccessControlPolicy")
		x.Owner(c.bucket.Owner)
		x.Start("AccessControlList")
		x.Text("Grant", acl.String())
		x.End("AccessControlList")
		x.End("AccessControlPolicy")
	})
}

// putBucketEncryption answers PutBucketEncryption.
func (c *call) putBucketEncryption() error {
	doc, err := c.body.XML("ServerSideEncryptionRule", request.MaxDocument)
	if err != nil {
		return err
	}
	rule := doc.Child("ApplyServerSideEncryptionByDefault")
	if rule == nil {
		return ossxml.Malformed("ApplyServerSideEncryptionByDefault is missing")
	}
	e := object.Encryption{
		Algorithm: rule.Value("SSEAlgorithm"),
		KeyID:     rule.Value("KMSMasterKeyID"),
		Data:      rule.Value("KMSDataEncryption"),
	}
	if err := checkEncryption(e, "SSEAlgorithm", "KMSMasterKeyID", "KMSDataEncryption"); err != nil {
		return err
	}
	return c.update(http.StatusOK, func(b *object.Bucket) error {
		b.Encryption = e
		return nil
	})
}

// getBucketEncryption answers GetBucketEncryption.
func (c *call) getBucketEncryption() error {
	if c.bucket.Encryption.Algorithm == "" {
		return errNoEncryptionRule
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("ServerSideEncryptionRule")
		x.Start("ApplyServerSideEncryptionByDefault")
		encryptionRule(x, c.bucket.Encryption)
		x.End("ApplyServerSideEncryptionByDefault")
		x.End("ServerSideEncryptionRule")
	})
}

// deleteBucketEncryption answers DeleteBucketEncryption.
func (c *call) deleteBucketEncryption() error {
	return c.update(http.StatusNoContent, func(b *object.Bucket) error {
		b.Encryption = object.Encryption{}
		return nil
	})
}

func encryptionRule(x *ossxml.Writer, e object.Encryption) {
	x.Text("SSEAlgorithm", e.Algorithm)
	x.Optional("KMSMasterKeyID", e.KeyID)
	x.Optional("KMSDataEncryption", e.Data)
}

// checkEncryption holds an encryption that is asked for to the rules of OSS.
// The names are those of the headers or elements that gave it.
//
// Source: OSS error codes 0005-00000203 and 0005-00000204.
func checkEncryption(e object.Encryption, algorithm, key, data string) error {
	switch {
	case e.Algorithm == "" && (e.KeyID != "" || e.Data != ""):
		return request.InvalidArgument(algorithm, "", "it is missing")
	case e.Algorithm != "" && e.Algorithm != "AES256" && e.Algorithm != "KMS" && e.Algorithm != "SM4":
		return &detailError{err: errEncryption, fields: [][2]string{{"ArgumentName", algorithm}, {"ArgumentValue", request.Bounded(e.Algorithm)}}}
	case e.KeyID != "" && e.Algorithm != "KMS":
		return &stocktake.InvalidArgumentError{Element: key, Value: request.Bounded(e.KeyID), EC: "0005-00000204", Reason: "only KMS has keys"}
	case e.Data != "" && (e.Data != "SM4" || e.Algorithm != "KMS"):
		return &stocktake.InvalidArgumentError{Element: data, Value: request.Bounded(e.Data), EC: "0005-00000203", Reason: "only SM4 with KMS is known"}
	case len(e.KeyID) > 256:
		return request.InvalidArgument(key, e.KeyID, "it is longer than 256 bytes")
	}
	return nil
}

// putBucketTags answers PutBucketTags.
func (c *call) putBucketTags() error {
	tags, err := c.readTagging(maxBucketTags)
	if err != nil {
		return err
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.Tags = tags })
}

// getBucketTags answers GetBucketTags.
func (c *call) getBucketTags() error { return c.tagging(c.bucket.Tags) }

// deleteBucketTags answers DeleteBucketTags: of all tags, or of those whose keys
// the parameter lists.
func (c *call) deleteBucketTags() error {
	list := c.query.Get("tagging")
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) {
		if list == "" {
			b.Tags = nil
			return
		}
		gone := strings.Split(list, ",")
		b.Tags = slices.DeleteFunc(slices.Clone(b.Tags), func(t object.Tag) bool { return slices.Contains(gone, t.Key) })
	})
}

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

// defaultGroup is the resource group of buckets that were put without one.
const defaultGroup = "rg-default"

func resourceGroup(b *object.Bucket) string { return cmp.Or(b.ResourceGroup, defaultGroup) }

// validGroup reports whether id has the form of a resource group's: "rg-" and
// up to 60 lower-case letters and digits. Groups are labels here: every id that
// has the form exists.
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

// Who pays for requests. Nobody does, here; but a caller who is not the owner
// must say that they would.
const (
	payerOwner     = "BucketOwner"
	payerRequester = "Requester"
)
