package ram

import (
	"net/netip"
	"time"

	"github.com/stocktake/stocktake"
)

// A Request is a requested action. Fields that do not apply are zero.
type Request struct {
	Action string // RAM action, such as "oss:PutObject"

	Bucket string // empty: of the service, such as oss:ListBuckets
	Owner  string // account that owns Bucket; empty: it does not exist yet, or the service
	Key    string // empty: of the bucket

	BucketACL stocktake.ACL
	ObjectACL stocktake.ACL // of the object as it is; DefaultACL if there is none

	Policy []byte // bucket policy; nil: none

	// BlockPublic is set if the bucket blocks public access: public ACLs and grants
	// of the bucket policy to everyone are ignored.
	BlockPublic bool

	SourceIP netip.Addr
	Secure   bool      // came over TLS
	Time     time.Time // zero: now

	// Conditions are the values of further condition keys, by the name that OSS
	// documents: "acs:UserAgent", "oss:Prefix", "oss:Delimiter". A key that is missing
	// is absent: no condition on it holds but a negated one. A listing without prefix
	// has "oss:Prefix" with an empty value.
	Conditions map[string]string
}

// Allowed decides whether who may do q. It returns nil or a *DeniedError, which is
// stocktake.ErrAccessDenied. It takes microseconds.
func (d *Directory) Allowed(who Identity, q Request) error {
	x := d.decider(who, q)
	return x.Allowed(q.Key, q.ObjectACL)
}

// aclAllows reports whether the ACL of the object, else that of the bucket, allows
// the action to everyone.
//
// Source: OSS user guide, "Bucket ACL", "Object ACL".
func aclAllows(q *Request) bool {
	if q.BlockPublic || q.Bucket == "" {
		return false
	}
	acl := q.BucketACL
	if q.Key != "" && q.ObjectACL != stocktake.DefaultACL {
		acl = q.ObjectACL
	}
	if acl != stocktake.PublicRead && acl != stocktake.PublicReadWrite {
		return false
	}
	switch q.Action {
	case "oss:GetObject", "oss:GetObjectVersion":
		return q.Key != ""
	case "oss:ListObjects":
		return q.Key == ""
	case "oss:PutObject", "oss:DeleteObject", "oss:AbortMultipartUpload", "oss:ListParts":
		return q.Key != "" && acl == stocktake.PublicReadWrite
	case "oss:ListMultipartUploads":
		return q.Key == "" && acl == stocktake.PublicReadWrite
	}
	return false
}

// aclMayAllow reports whether an ACL can ever allow action. The error for anonymous
// callers depends on it.
func aclMayAllow(action string) bool {
	for _, key := range [...]string{"", "k"} {
		if aclAllows(&Request{Action: action, Bucket: "b", Key: key, BucketACL: stocktake.PublicReadWrite}) {
			return true
		}
	}
	return false
}

// denied returns the error of OSS for a denied request.
//
// Source: OSS error codes 0003-00000001, 0003-00000201, 0003-00001201.
func denied(ev *evaluation, reason Reason, by string) error {
	region := "*"
	if ev.service == "ram" {
		region = "" // roles have no region
	}
	e := &DeniedError{
		Reason: reason, By: by, Who: *ev.who, Action: ev.Action,
		Resource: "acs:" + ev.service + ":" + region + ":" + ev.account + ":" + ev.name,
		EC:       "0003-00000001", TooCostly: ev.budget.spent(),
	}
	object := ev.Key != ""
	switch {
	case reason == Unsigned && !aclMayAllow(ev.Action):
		e.Message, e.EC = "Anonymous access is forbidden for this operation.", "0003-00001201"
	case reason == Unsigned && object:
		e.Message = "Anonymous user has no right to access this object."
	case reason == Unsigned:
		e.Message = "Anonymous user has no right to access this bucket."
	case by == "bucket policy":
		e.Message = "Access denied by bucket policy."
	case reason == Explicit:
		e.Message, e.EC = "Access denied by authorizer's policy.", "0003-00000201"
	case by != "":
		e.Message = "Access denied by authorizer's policy."
	case object:
		e.Message = "You have no right to access this object because of bucket acl."
	case ev.Bucket != "":
		e.Message = "You have no right to access this bucket because of bucket acl."
	default:
		e.Message = "You have no right to access this resource."
	}
	return e
}
