package ossapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// putBucketACL answers PutBucketAcl.
func (c *call) putBucketACL() error {
	acl, err := bucketACL(c.r.Header.Get("X-Oss-Acl"))
	if err != nil {
		return err
	}
	return c.update(http.StatusOK, func(b *object.Bucket) error {
		if acl != stocktake.Private && publicBlocked(b) {
			return errPublicBucketACL
		}
		b.ACL = acl
		return nil
	})
}

// getBucketACL answers GetBucketAcl.
func (c *call) getBucketACL() error { return c.accessControl(c.bucket.ACL) }

func (c *call) accessControl(acl stocktake.ACL) error {
	return c.xml(func(x *xmlWriter) {
		x.start("AccessControlPolicy")
		x.owner(c.bucket.Owner)
		x.start("AccessControlList")
		x.text("Grant", acl.String())
		x.end("AccessControlList")
		x.end("AccessControlPolicy")
	})
}

// putBucketEncryption answers PutBucketEncryption.
func (c *call) putBucketEncryption() error {
	doc, err := c.readXML("ServerSideEncryptionRule", maxDocument)
	if err != nil {
		return err
	}
	rule := doc.child("ApplyServerSideEncryptionByDefault")
	if rule == nil {
		return malformed("ApplyServerSideEncryptionByDefault is missing")
	}
	e := object.Encryption{
		Algorithm: rule.value("SSEAlgorithm"),
		KeyID:     rule.value("KMSMasterKeyID"),
		Data:      rule.value("KMSDataEncryption"),
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
	return c.xml(func(x *xmlWriter) {
		x.start("ServerSideEncryptionRule")
		x.start("ApplyServerSideEncryptionByDefault")
		encryptionRule(x, c.bucket.Encryption)
		x.end("ApplyServerSideEncryptionByDefault")
		x.end("ServerSideEncryptionRule")
	})
}

// deleteBucketEncryption answers DeleteBucketEncryption.
func (c *call) deleteBucketEncryption() error {
	return c.update(http.StatusNoContent, func(b *object.Bucket) error {
		b.Encryption = object.Encryption{}
		return nil
	})
}

func encryptionRule(x *xmlWriter, e object.Encryption) {
	x.text("SSEAlgorithm", e.Algorithm)
	x.optional("KMSMasterKeyID", e.KeyID)
	x.optional("KMSDataEncryption", e.Data)
}

// checkEncryption holds an encryption that is asked for to the rules of OSS.
// The names are those of the headers or elements that gave it.
//
// Source: OSS error codes 0005-00000203 and 0005-00000204.
func checkEncryption(e object.Encryption, algorithm, key, data string) error {
	switch {
	case e.Algorithm == "" && (e.KeyID != "" || e.Data != ""):
		return invalidArgument(algorithm, "", "it is missing")
	case e.Algorithm != "" && e.Algorithm != "AES256" && e.Algorithm != "KMS" && e.Algorithm != "SM4":
		return &detailError{err: errEncryption, fields: [][2]string{{"ArgumentName", algorithm}, {"ArgumentValue", bounded(e.Algorithm)}}}
	case e.KeyID != "" && e.Algorithm != "KMS":
		return &stocktake.InvalidArgumentError{Element: key, Value: bounded(e.KeyID), EC: "0005-00000204", Reason: "only KMS has keys"}
	case e.Data != "" && (e.Data != "SM4" || e.Algorithm != "KMS"):
		return &stocktake.InvalidArgumentError{Element: data, Value: bounded(e.Data), EC: "0005-00000203", Reason: "only SM4 with KMS is known"}
	case len(e.KeyID) > 256:
		return invalidArgument(key, e.KeyID, "it is longer than 256 bytes")
	}
	return nil
}

// putBucketTags answers PutBucketTags.
func (c *call) putBucketTags() error {
	tags, err := c.readTagging(maxBucketTags)
	if err != nil {
		return err
	}
	return c.keep(http.StatusOK, configTags, appendTagging(nil, tags))
}

// getBucketTags answers GetBucketTags.
func (c *call) getBucketTags() error { return c.tagging(bucketTags(&c.bucket)) }

// deleteBucketTags answers DeleteBucketTags: of all tags, or of those whose keys
// the parameter lists.
func (c *call) deleteBucketTags() error {
	list := c.query.get("tagging")
	return c.update(http.StatusNoContent, func(b *object.Bucket) error {
		if list == "" {
			delete(b.Config, configTags)
			return nil
		}
		gone := strings.Split(list, ",")
		tags := slices.DeleteFunc(bucketTags(b), func(t object.Tag) bool { return slices.Contains(gone, t.Key) })
		b.Config[configTags] = appendTagging(nil, tags)
		return nil
	})
}

// bucketTags are the tags kept with a bucket.
func bucketTags(b *object.Bucket) []object.Tag {
	doc := b.Config[configTags]
	if doc == nil {
		return nil
	}
	e, err := parseXML(doc, "Tagging")
	if err != nil {
		return nil // we wrote it
	}
	tags, _ := taggingOf(e, maxBucketTags)
	return tags
}

// publicBlocked reports whether the bucket blocks public access: then no ACL or
// policy may open it to everybody.
func publicBlocked(b *object.Bucket) bool { return string(b.Config[configBlock]) == "true" }

// putPublicAccessBlock answers PutBucketPublicAccessBlock.
func (c *call) putPublicAccessBlock() error {
	doc, err := c.readXML("PublicAccessBlockConfiguration", maxDocument)
	if err != nil {
		return err
	}
	switch v := doc.value("BlockPublicAccess"); strings.ToLower(v) {
	case "true":
		return c.keep(http.StatusOK, configBlock, []byte("true"))
	case "false":
		return c.keep(http.StatusOK, configBlock, nil)
	default:
		return invalidArgument("BlockPublicAccess", v, "true or false is expected")
	}
}

// getPublicAccessBlock answers GetBucketPublicAccessBlock.
func (c *call) getPublicAccessBlock() error {
	return c.xml(func(x *xmlWriter) {
		x.start("PublicAccessBlockConfiguration")
		x.bool("BlockPublicAccess", publicBlocked(&c.bucket))
		x.end("PublicAccessBlockConfiguration")
	})
}

// deletePublicAccessBlock answers DeleteBucketPublicAccessBlock.
func (c *call) deletePublicAccessBlock() error { return c.keep(http.StatusNoContent, configBlock, nil) }

// defaultGroup is the resource group of buckets that were put without one.
const defaultGroup = "rg-default"

func resourceGroup(b *object.Bucket) string {
	if g := b.Config[configGroup]; len(g) > 0 {
		return string(g)
	}
	return defaultGroup
}

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
	doc, err := c.readXML("BucketResourceGroupConfiguration", maxDocument)
	if err != nil {
		return err
	}
	switch id := doc.value("ResourceGroupId"); {
	case id == "":
		return c.keep(http.StatusOK, configGroup, nil)
	case !validGroup(id):
		return errResourceGroup
	default:
		return c.keep(http.StatusOK, configGroup, []byte(id))
	}
}

// getResourceGroup answers GetBucketResourceGroup.
func (c *call) getResourceGroup() error {
	return c.xml(func(x *xmlWriter) {
		x.start("BucketResourceGroupConfiguration")
		x.text("ResourceGroupId", resourceGroup(&c.bucket))
		x.end("BucketResourceGroupConfiguration")
	})
}

// putRequestPayment answers PutBucketRequestPayment.
func (c *call) putRequestPayment() error {
	doc, err := c.readXML("RequestPaymentConfiguration", maxDocument)
	if err != nil {
		return err
	}
	switch v := doc.value("Payer"); v {
	case payerOwner:
		return c.keep(http.StatusOK, configPayment, nil)
	case payerRequester:
		return c.keep(http.StatusOK, configPayment, []byte(v))
	default:
		return invalidArgument("Payer", v, "BucketOwner or Requester is expected")
	}
}

// getRequestPayment answers GetBucketRequestPayment.
func (c *call) getRequestPayment() error {
	payer := payerOwner
	if requesterPays(&c.bucket) {
		payer = payerRequester
	}
	return c.xml(func(x *xmlWriter) {
		x.start("RequestPaymentConfiguration")
		x.text("Payer", payer)
		x.end("RequestPaymentConfiguration")
	})
}

// Who pays for requests. Nobody does, here; but a caller who is not the owner
// must say that they would.
const (
	payerOwner     = "BucketOwner"
	payerRequester = "Requester"
)

func requesterPays(b *object.Bucket) bool { return string(b.Config[configPayment]) == payerRequester }
