package ram

import "github.com/stocktake/stocktake/internal/object"

// BucketRequest returns the request for action on b or, with a key, on an object
// of b, with all that the bucket itself contributes to the decision: owner, ACL,
// policy and the block of public access. It is the only place that reads these
// from a bucket. The caller adds what it knows of the caller and of the object.
func BucketRequest(action string, b *object.Bucket, key string) Request {
	return Request{
		Action: action, Bucket: b.Name, Owner: b.Owner, Key: key,
		BucketACL:   b.ACL,
		Policy:      b.Policy,
		BlockPublic: b.BlockPublicAccess,
	}
}
