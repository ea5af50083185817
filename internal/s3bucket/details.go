package s3bucket

import (
	"net/http"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/remote"
)

// RequestFor implements [remote.Dialect]. The CRC-64 of S3 is another sum than that of
// OSS.
func (d *dialect) RequestFor(f stocktake.Field) remote.DetailRequest {
	switch f {
	case stocktake.FieldEncryptionStatus:
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
// Source: Amazon S3 user guide, required permissions for API operations;
// GetObjectACLHandler of MinIO.
func (d *dialect) DetailRight(q remote.DetailRequest, version bool) string {
	name, onMinIO := "GetObject", ""
	if version {
		name, onMinIO = "GetObjectVersion", "s3:GetObject"
	}
	switch q {
	case remote.RequestACL:
		name, onMinIO = name+"Acl", "s3:GetBucketPolicy"
	case remote.RequestTags:
		name += "Tagging"
		if version {
			onMinIO += "Tagging"
		}
	}
	if onMinIO != "" {
		return "s3:" + name + " (" + onMinIO + " on MinIO)"
	}
	return "s3:" + name
}

// ReadHead implements [remote.Dialect].
//
// Source: Amazon S3 API reference, HeadObject.
func (d *dialect) ReadHead(h http.Header, r *stocktake.Record) {
	r.Encrypted = h.Get("X-Amz-Server-Side-Encryption") != "" || h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != ""
	r.Missing &^= stocktake.MissingEncryption
}

// ReadACL implements [remote.Dialect]. Grants to everybody, or to everybody who
// has an account, make an object public; those to single accounts have no word.
//
// Source: Amazon S3 user guide, access control list overview.
func (d *dialect) ReadACL(doc *ossxml.Element) (stocktake.ACL, error) {
	acl := stocktake.Private
	list := doc.Child("AccessControlList")
	if list == nil {
		return acl, nil
	}
	for i := range list.Children {
		grant := &list.Children[i]
		group := grant.Child("Grantee").Value("URI")
		if !strings.HasSuffix(group, "/groups/global/AllUsers") && !strings.HasSuffix(group, "/groups/global/AuthenticatedUsers") {
			continue
		}
		switch grant.Value("Permission") {
		case "READ":
			acl = max(acl, stocktake.PublicRead)
		case "WRITE", "FULL_CONTROL":
			acl = stocktake.PublicReadWrite
		}
	}
	return acl, nil
}
