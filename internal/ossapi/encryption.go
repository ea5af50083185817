package ossapi

import (
	"net/http"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

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
	if e, err = checkEncryption(e, "SSEAlgorithm", "KMSMasterKeyID", "KMSDataEncryption"); err != nil {
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

// checkEncryption checks a requested encryption against the rules of OSS.
// algorithm, key and data are the names of the headers or elements that held it. It
// returns e without values that have no effect: data encryption SM4 together with
// AES256.
//
// Source: OSS error codes 0005-00000203 and 0005-00000204.
func checkEncryption(e object.Encryption, algorithm, key, data string) (object.Encryption, error) {
	switch {
	case e.Algorithm == "" && (e.KeyID != "" || e.Data != ""):
		return e, request.InvalidArgument(algorithm, "", "it is missing")
	case e.Algorithm != "" && e.Algorithm != "AES256" && e.Algorithm != "KMS" && e.Algorithm != "SM4":
		return e, &request.DetailError{Err: errEncryption, Fields: [][2]string{{"ArgumentName", algorithm}, {"ArgumentValue", request.Bounded(e.Algorithm)}}}
	case e.KeyID != "" && e.Algorithm != "KMS":
		return e, &stocktake.InvalidArgumentError{Element: key, Value: request.Bounded(e.KeyID), EC: "0005-00000204", Reason: "only KMS has keys"}
	case e.Data != "" && (e.Data != "SM4" || e.Algorithm == "SM4"):
		return e, &stocktake.InvalidArgumentError{Element: data, Value: request.Bounded(e.Data), EC: "0005-00000203", Reason: "only SM4 with KMS is known"}
	case len(e.KeyID) > 256:
		return e, request.InvalidArgument(key, e.KeyID, "it is longer than 256 bytes")
	}
	if e.Algorithm == "AES256" {
		e.Data = ""
	}
	return e, nil
}

// Headers in which a write requests encryption.
const (
	headerEncryption     = "x-oss-server-side-encryption"
	headerEncryptionKey  = "x-oss-server-side-encryption-key-id"
	headerDataEncryption = "x-oss-server-side-data-encryption"
)

func (c *call) encryptionHeaders(e object.Encryption) {
	c.set("x-oss-server-side-encryption", e.Algorithm)
	c.set("x-oss-server-side-encryption-key-id", e.KeyID)
	c.set("x-oss-server-side-data-encryption", e.Data)
}
