package ossapi

import (
	"net/http"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// clientEncryption is the prefix of the metadata names that a client needs to
// decrypt what it has encrypted itself.
//
// Source: OSS developer guide, client-side encryption.
const clientEncryption = "client-side-encryption-"

// clientEncryptionElements are the elements of ListParts that repeat such metadata.
var clientEncryptionElements = [...]struct{ meta, element string }{
	{clientEncryption + "key", "ClientEncryptionKey"},
	{clientEncryption + "start", "ClientEncryptionStart"},
	{clientEncryption + "cek-alg", "ClientEncryptionCekAlg"},
	{clientEncryption + "wrap-alg", "ClientEncryptionWrapAlg"},
	{clientEncryption + "data-size", "ClientEncryptionDataSize"},
	{clientEncryption + "part-size", "ClientEncryptionPartSize"},
}

func metaValue(meta []object.Meta, name string) string {
	for _, m := range meta {
		if m.Name == name {
			return m.Value
		}
	}
	return ""
}

// checkClientEncryption checks that the upload of a client-encrypted object states
// the sizes of the object and of its parts.
func checkClientEncryption(meta []object.Meta) error {
	if metaValue(meta, clientEncryption+"key") == "" {
		return nil
	}
	for _, name := range [...]string{clientEncryption + "data-size", clientEncryption + "part-size"} {
		if n, ok := request.ParseDigits(metaValue(meta, name)); !ok || n == 0 {
			return &request.DetailError{Err: errClientEncryption, Fields: [][2]string{{"ArgumentName", "x-oss-meta-" + name}}}
		}
	}
	return nil
}

// clientEncryptionOf writes how the client encrypts an upload, if it does so.
func clientEncryptionOf(x *ossxml.Writer, meta []object.Meta) {
	for _, e := range clientEncryptionElements {
		value := metaValue(meta, e.meta)
		if strings.HasSuffix(e.element, "Size") {
			if _, ok := request.ParseDigits(value); !ok {
				continue // clients read a number
			}
		}
		x.Optional(e.element, value)
	}
}

// noPartEncryption rejects encryption headers of a part: the upload sets
// encryption.
func noPartEncryption(h http.Header) error {
	for _, name := range [...]string{headerEncryption, headerEncryptionKey, headerDataEncryption} {
		if v := h.Get(name); v != "" {
			return request.InvalidArgument(name, v, "a part cannot be encrypted in its own way")
		}
	}
	return nil
}
