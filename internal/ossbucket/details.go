package ossbucket

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/remote"
)

// RequestFor implements [remote.Dialect].
func (d *dialect) RequestFor(f stocktake.Field) remote.DetailRequest {
	switch f {
	case stocktake.FieldEncryptionStatus, stocktake.FieldCRC64:
		return remote.RequestHead
	case stocktake.FieldObjectACL:
		return remote.RequestACL
	case stocktake.FieldTaggingCount:
		return remote.RequestTags
	}
	return 0
}

// DetailRight implements [remote.Dialect].
//
// Source: OSS documentation, RAM policies, actions on objects.
func (d *dialect) DetailRight(q remote.DetailRequest, version bool) string {
	of := "oss:GetObject"
	if version {
		of = "oss:GetObjectVersion"
	}
	switch q {
	case remote.RequestACL:
		return of + "Acl"
	case remote.RequestTags:
		return of + "Tagging"
	}
	return of
}

// ReadHead implements [remote.Dialect].
//
// Source: OSS API reference, HeadObject.
func (d *dialect) ReadHead(h http.Header, r *stocktake.Record) {
	r.Encrypted = h.Get("X-Oss-Server-Side-Encryption") != ""
	sum, err := strconv.ParseUint(h.Get("X-Oss-Hash-Crc64ecma"), 10, 64)
	r.CRC64, r.HasCRC64 = sum, err == nil
	r.Missing &^= stocktake.MissingEncryption | stocktake.MissingCRC64
}

// ReadACL implements [remote.Dialect].
func (d *dialect) ReadACL(doc *ossxml.Element) (stocktake.ACL, error) {
	word := doc.Child("AccessControlList").Value("Grant")
	acl, ok := stocktake.ParseACL(word)
	if !ok {
		return 0, fmt.Errorf("the ACL %.100q is unknown", word)
	}
	return acl, nil
}
