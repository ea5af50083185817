package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// keyring wraps and unwraps the data keys of the store.
type keyring struct {
	keys   *kms.Keys
	former *kms.Keys // of the data folder, from before they were in a database; nil: none. They only unwrap
}

var _ store.Keyring = keyring{}

// Wrap encrypts a data key.
func (k keyring) Wrap(ctx context.Context, owner string, e object.Encryption, dataKey []byte) (object.Encryption, []byte, error) {
	id := e.KeyID
	switch {
	case e.Algorithm == "AES256" || e.Algorithm == "SM4": // both are kept with AES-256; docs/compatibility.md says so
		id = kms.ServiceKey
	case e.Algorithm != "KMS" || id == kms.ServiceKey:
		return e, nil, fmt.Errorf("encryption %s with key %q: %w", e.Algorithm, id, object.ErrKMSKey)
	}
	used, wrapped, err := k.keys.Wrap(ctx, owner, id, dataKey, []byte(e.Algorithm))
	if err != nil {
		return e, nil, keyError(id, err)
	}
	if e.Algorithm == "KMS" {
		e.KeyID = used
	}
	return e, wrapped, nil
}

// Unwrap decrypts what Wrap has encrypted.
func (k keyring) Unwrap(ctx context.Context, e object.Encryption, wrapped []byte) ([]byte, error) {
	dataKey, err := k.keys.Unwrap(ctx, wrapped, []byte(e.Algorithm))
	if k.former != nil && (errors.Is(err, kms.ErrNoSuchKey) || errors.Is(err, kms.ErrUnwrap)) {
		if old, errOld := k.former.Unwrap(ctx, wrapped, []byte(e.Algorithm)); errOld == nil {
			return old, nil
		}
	}
	if err != nil {
		return nil, keyError(e.KeyID, err)
	}
	return dataKey, nil
}

// keyError turns a key that cannot be used into the error that clients receive.
func keyError(id string, err error) error {
	name, enable := "the KMS key "+id, id
	if id == "" || id == kms.ServiceKey {
		name, enable = "the service's KMS key", "ID, of stocktake kms list"
	}
	switch {
	case errors.Is(err, kms.ErrKeyDisabled):
		return &kmsKeyError{name + " is disabled", "enable it (stocktake kms enable " + enable + ")", err}
	case errors.Is(err, kms.ErrNoSuchKey):
		return &kmsKeyError{"there is no KMS key " + id, "make it (stocktake kms create), or name another (stocktake kms list)", err}
	}
	return err
}

// A kmsKeyError reports a key that cannot be used, with advice.
type kmsKeyError struct {
	text, advice string
	err          error // of package kms
}

func (e *kmsKeyError) Error() string { return e.text }

// Advice returns the advice for the reason of a failed run; see [inventory.Reason].
func (e *kmsKeyError) Advice() string { return e.advice }

func (e *kmsKeyError) Unwrap() []error { return []error{object.ErrKMSKey, e.err} }

// encrypts checks whether reports in the embedded store can be encrypted as a configuration asks:
// it wraps a key and discards it.
func (k keyring) encrypts(owner string, e stocktake.Encryption) error {
	want := object.Encryption{Algorithm: "AES256"}
	if e.SSEKMS {
		want = object.Encryption{Algorithm: "KMS", KeyID: e.KeyID}
	}
	_, _, err := k.Wrap(context.Background(), owner, want, kms.NewDataKey())
	if !errors.Is(err, object.ErrKMSKey) {
		return err
	}
	return &encryptionError{err, &stocktake.InvalidArgumentError{
		Element: "Destination/OSSBucketDestination/Encryption/SSE-KMS/KeyId", Value: e.KeyID, EC: "0005-00000201",
		Reason: err.Error(),
	}}
}

// An encryptionError reports a key that cannot encrypt reports. It is an invalid value when the
// configuration is put, and a reason when it is checked later.
type encryptionError struct {
	err     error
	invalid *stocktake.InvalidArgumentError
}

func (e *encryptionError) Error() string   { return "the reports cannot be encrypted: " + e.err.Error() }
func (e *encryptionError) Unwrap() []error { return []error{e.invalid, e.err} }
