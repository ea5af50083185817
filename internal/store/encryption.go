package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// An envelope is the data key of an object; the zero value means that the object is not encrypted.
type envelope struct {
	key     []byte
	wrapped []byte // what the row keeps
}

// seal makes the envelope of an object of encryption e in a bucket of owner, and
// fills in the key that was used.
func (s *Store) seal(ctx context.Context, owner string, e *object.Encryption) (envelope, error) {
	if s.opts.Keys == nil {
		return envelope{}, fmt.Errorf("%w: the store has no keyring", object.ErrKMSKey)
	}
	key := kms.NewDataKey()
	used, wrapped, err := s.opts.Keys.Wrap(ctx, owner, *e, key)
	if err != nil {
		return envelope{}, err
	}
	*e = used
	return envelope{key, wrapped}, nil
}

// unseal opens the envelope of a row.
func (s *Store) unseal(ctx context.Context, r *layout.Row) (envelope, error) {
	if r.DataKey == nil {
		return envelope{}, nil
	}
	if s.opts.Keys == nil {
		return envelope{}, fmt.Errorf("%w: the store has no keyring", object.ErrKMSKey)
	}
	key, err := s.opts.Keys.Unwrap(ctx, r.Info.Encryption, r.DataKey)
	return envelope{key, r.DataKey}, err
}

// blobAAD ties an encrypted blob to its id.
func blobAAD(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
