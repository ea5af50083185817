package logs

import (
	"crypto/sha256"
	"encoding/hex"
)

// Digest returns the digest of a document for a line about its change: "sha256:" and 64 hex digits.
// Equal documents have equal digests, and a digest does not reveal a policy or a tag.
func Digest(document []byte) string {
	sum := sha256.Sum256(document)
	return "sha256:" + hex.EncodeToString(sum[:])
}
