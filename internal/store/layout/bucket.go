package layout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// bucketRow is the value of a bucket in the index, as JSON.
type bucketRow struct {
	ID           uint32            `json:"id"`
	Owner        string            `json:"owner"`
	Created      time.Time         `json:"created"`
	StorageClass string            `json:"storageClass"`
	Redundancy   string            `json:"redundancy,omitempty"`
	ACL          string            `json:"acl"`
	Versioning   object.Versioning `json:"versioning,omitempty"`
	SSEAlgorithm string            `json:"sseAlgorithm,omitempty"`
	SSEKeyID     string            `json:"sseKeyId,omitempty"`
	SSEData      string            `json:"sseData,omitempty"`

	Tags              []tagRow          `json:"tags,omitempty"`
	Policy            []byte            `json:"policy,omitempty"`
	BlockPublicAccess bool              `json:"blockPublicAccess,omitempty"`
	ResourceGroup     string            `json:"resourceGroup,omitempty"`
	RequesterPays     bool              `json:"requesterPays,omitempty"`
	Lifecycle         *object.Lifecycle `json:"lifecycle,omitempty"`
	CORS              *object.CORS      `json:"cors,omitempty"`
}

type tagRow struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
}

// EncodeBucket returns the value of b, whose id is id, in the index. It cannot fail
// for a bucket that the store accepts.
func EncodeBucket(id uint32, b *object.Bucket) ([]byte, error) {
	r := bucketRow{
		ID: id, Owner: b.Owner, Created: b.Created, StorageClass: b.StorageClass.String(), Redundancy: b.Redundancy,
		ACL: b.ACL.String(), Versioning: b.Versioning,
		SSEAlgorithm: b.Encryption.Algorithm, SSEKeyID: b.Encryption.KeyID, SSEData: b.Encryption.Data,
		Policy: b.Policy, BlockPublicAccess: b.BlockPublicAccess, ResourceGroup: b.ResourceGroup, RequesterPays: b.RequesterPays,
		Lifecycle: b.Lifecycle, CORS: b.CORS,
	}
	for _, t := range b.Tags {
		r.Tags = append(r.Tags, tagRow(t))
	}
	return json.Marshal(r)
}

// DecodeBucket reads the value of the bucket called name. The error is ErrMalformed
// for settings that no bucket can have.
func DecodeBucket(name string, value []byte) (uint32, *object.Bucket, error) {
	var r bucketRow
	if err := json.Unmarshal(value, &r); err != nil {
		return 0, nil, fmt.Errorf("bucket %s in the index: %w", name, err)
	}
	class, ok1 := stocktake.ParseStorageClass(r.StorageClass)
	acl, ok2 := stocktake.ParseACL(r.ACL)
	if !ok1 || !ok2 || r.ID == 0 || r.Versioning > object.Suspended {
		return 0, nil, fmt.Errorf("bucket %s in the index: %w", name, ErrMalformed)
	}
	b := &object.Bucket{
		Name: name, Owner: r.Owner, Created: r.Created, StorageClass: class, Redundancy: r.Redundancy,
		ACL: acl, Versioning: r.Versioning,
		Encryption: object.Encryption{Algorithm: r.SSEAlgorithm, KeyID: r.SSEKeyID, Data: r.SSEData},
		Policy:     r.Policy, BlockPublicAccess: r.BlockPublicAccess, ResourceGroup: r.ResourceGroup, RequesterPays: r.RequesterPays,
		Lifecycle: r.Lifecycle, CORS: r.CORS,
	}
	for _, t := range r.Tags {
		b.Tags = append(b.Tags, object.Tag(t))
	}
	return r.ID, b, nil
}
