package ossapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/stocktake/stocktake/internal/object"
)

// audit logs a change that the caller has made, to the bucket or to a configuration of
// it: who, by which request and from where.
func (c *call) audit(change, configuration string, attrs ...any) {
	by := c.origin()
	line := []any{"bucket", c.at.Bucket}
	if configuration != "" {
		line = append(line, "configuration", configuration)
	}
	line = append(line, "by", by.Principal, "request", by.Request, "address", by.Address, "operation", c.opName())
	c.Audit.InfoContext(c.ctx, change, append(line, attrs...)...)
}

// auditDigest returns the digest of a document in audit lines. Equal documents have
// equal digests, and nobody can read a policy or a tag from one. An empty document has
// an empty digest.
func auditDigest(document []byte) string {
	if len(document) == 0 {
		return ""
	}
	sum := sha256.Sum256(document)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// bucketDigest returns the digest of the settings that are kept of a bucket.
func bucketDigest(b *object.Bucket) string {
	kept := *b
	kept.Region, kept.Store, kept.Endpoint = "", "", ""
	document, err := json.Marshal(&kept)
	if err != nil {
		return "" // strings, numbers and lists of them
	}
	return auditDigest(document)
}
