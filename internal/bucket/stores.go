package bucket

import (
	"context"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
)

// A Store is a named store of the settings: some names of buckets mean buckets
// there.
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

// Service is what the registry needs of a named store. foreign.Store implements
// it. Buckets are named as they are there.
type Service interface {
	// Claims returns the name there of a bucket that the store claims.
	Claims(name string) (there string, ok bool)

	// Allows returns nil if the settings let the role use the store, else why not.
	Allows(role string) error

	// Source and Destination are used with the credentials of the role. Their error
	// is that of Allows. Sources can be compared: those with the same credentials are
	// equal.
	Source(role string) (engine.Source, error)
	Destination(role, bucket string) (engine.Destination, error)

	// Costs returns what columns take besides the listing. It asks nothing.
	Costs(columns []stocktake.Field) engine.Costs

	// Encrypts returns why a bucket cannot hold reports that are encrypted as asked,
	// which the role writes; nil: it can, or that cannot be found out now. It may
	// write and remove an object under key.
	Encrypts(ctx context.Context, role, bucket, key string, e stocktake.Encryption) error

	// Ask returns nil if there is such a bucket, stocktake.ErrNoSuchBucket if there
	// is none, else why the store cannot be asked.
	Ask(ctx context.Context, bucket string) error
}

// state returns what is known of a bucket of the store without asking it.
func (st *named) state(name string) object.Bucket {
	b := object.Bucket{
		Name: name, Owner: st.Account, Region: st.Region, Store: st.Name, Endpoint: st.Endpoint, S3: st.S3,
		ACL: stocktake.Private, BlockPublicAccess: true,
		Versioning: object.Enabled, // it may be, so a configuration may ask for versions
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

// renamed is a source whose buckets have other names here: a run that names one
// reads the bucket there.
type renamed struct {
	engine.Source
	there string
}

func (s renamed) Snapshot(ctx context.Context, _ string) (engine.Snapshot, error) {
	return s.Source.Snapshot(ctx, s.there)
}

// A gone store had a bucket once, and is not in the settings any more. Its
// configurations must not be taken for those of a bucket that was deleted.
type goneError struct{ store, bucket string }

func (e *goneError) Error() string {
	return fmt.Sprintf("the bucket %s belonged to the store %q, which does not claim it any more", e.bucket, e.store)
}

// Advice returns what to do, for the reason of a failed run.
func (e *goneError) Advice() string {
	return "put the store back into the settings file; to give the bucket up, delete its configurations first"
}
