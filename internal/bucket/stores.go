package bucket

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
)

// A Store is a named store in the settings, which claims some bucket names.
type Store struct {
	Name     string
	Endpoint string // URL where clients find it
	Account  string // owner of its buckets
	Region   string // plain id; empty: not compared
	S3       bool   // it speaks S3

	// CrossRegion lets its buckets be combined with those of other regions and
	// accounts.
	CrossRegion bool

	Service Service
}

// Service is what the registry needs from a named store. foreign.Store implements it. Bucket names
// are those in the store.
type Service interface {
	// Claims returns the name in the store of a bucket that it claims.
	Claims(name string) (there string, ok bool)

	// Allows returns nil if the settings allow the role to use the store, otherwise the reason.
	Allows(role string) error

	// Source and Destination are used with the credentials of the role. Their error
	// is that of Allows.
	Source(role string) (engine.Source, error)
	Destination(role, bucket string) (engine.Destination, error)

	// CredentialsName names the credentials of the role among those of the store, as all processes
	// with the same settings do. Its error is that of Allows.
	CredentialsName(role string) (string, error)

	// Costs returns the cost of columns in addition to the listing. It makes no request.
	Costs(columns []stocktake.Field) engine.Costs

	// Encrypts returns an error if reports that the role writes to a bucket cannot be encrypted as
	// requested; nil: they can, or this is unknown now. It may write and remove an object under
	// key.
	Encrypts(ctx context.Context, role, bucket, key string, e stocktake.Encryption) error

	// CheckBucket returns nil if the bucket exists, stocktake.ErrNoSuchBucket if it does not, and any other
	// error if the store does not answer.
	CheckBucket(ctx context.Context, bucket string) error
}

// bucketOf returns the state of a bucket as far as it is known without a request.
func (st *namedStore) bucketOf(name string) object.Bucket {
	b := object.Bucket{
		Name: name, Owner: st.Account, Region: st.Region, Store: st.Name, Endpoint: st.Endpoint, S3: st.S3,
		ACL: stocktake.Private, BlockPublicAccess: true,
		Versioning: object.Enabled, // unknown, so a configuration may ask for versions
	}
	if st.S3 {
		b.StorageClass = stocktake.S3Standard
	}
	return b
}

// CheckEmbedded refuses names of buckets of the embedded store that a named store
// claims.
func (r *Registry) CheckEmbedded(names []string) error {
	for _, name := range names {
		if st, _ := r.find(name); st != nil {
			return fmt.Errorf("store %q claims the bucket %s, which exists in the embedded store: narrow its buckets, or give the bucket there another name by aliases", st.Name, name)
		}
	}
	return nil
}

// renamedSource is a source that translates bucket names of this server to those in the store.
type renamedSource struct {
	engine.Source
	nameInStore string
}

func (s renamedSource) Snapshot(ctx context.Context, _ string) (engine.Snapshot, error) {
	return s.Source.Snapshot(ctx, s.nameInStore)
}

// A removedStoreError reports a bucket of a store that was removed from the settings. Its configurations
// must not be treated as those of a deleted bucket.
type removedStoreError struct{ store, bucket string }

func (e *removedStoreError) Error() string {
	return fmt.Sprintf("the bucket %s belonged to the store %q, which does not claim it any more", e.bucket, e.store)
}

// Advice returns the advice for the reason of a failed run.
func (e *removedStoreError) Advice() string {
	return "put the store back into the settings file; to give the bucket up, delete its configurations first"
}
