package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// Files of the keys in the data folder. The master key may come from the
// environment instead, so that a copy of the folder alone opens nothing.
const (
	keysFile   = "keys.json"
	masterFile = "master.key"
	masterEnv  = "STOCKTAKE_MASTER_KEY"
)

func openKeys(dir string) (*kms.Keys, error) {
	opts := kms.Options{MasterFile: filepath.Join(dir, masterFile)}
	if text := os.Getenv(masterEnv); text != "" {
		master, err := kms.ParseMaster(text)
		if err != nil {
			return nil, usagef("%s: %w", masterEnv, err)
		}
		opts.Master, opts.MasterFile = master, ""
	}
	return kms.Open(filepath.Join(dir, keysFile), opts)
}

// keyring gives the store the keys it asks for.
type keyring struct{ keys *kms.Keys }

var _ store.Keyring = keyring{}

// Wrap encrypts a data key.
func (k keyring) Wrap(ctx context.Context, e object.Encryption, dataKey []byte) (object.Encryption, []byte, error) {
	id := e.KeyID
	switch {
	case e.Algorithm == "AES256" || e.Algorithm == "SM4": // both are kept with AES-256; docs/compatibility.md says so
		id = kms.ServiceKey
	case e.Algorithm != "KMS" || id == kms.ServiceKey:
		return e, nil, fmt.Errorf("encryption %s with key %q: %w", e.Algorithm, id, object.ErrKMSKey)
	}
	used, wrapped, err := k.keys.Wrap(ctx, id, dataKey, []byte(e.Algorithm))
	if err != nil {
		return e, nil, keyError(err)
	}
	if e.Algorithm == "KMS" {
		e.KeyID = used
	}
	return e, wrapped, nil
}

// Unwrap is the inverse.
func (k keyring) Unwrap(ctx context.Context, e object.Encryption, wrapped []byte) ([]byte, error) {
	dataKey, err := k.keys.Unwrap(ctx, wrapped, []byte(e.Algorithm))
	if err != nil {
		return nil, keyError(err)
	}
	return dataKey, nil
}

// keyError makes a key that cannot be used the condition that clients are told.
func keyError(err error) error {
	if errors.Is(err, kms.ErrNoSuchKey) || errors.Is(err, kms.ErrKeyDisabled) {
		return fmt.Errorf("%w: %w", object.ErrKMSKey, err)
	}
	return err
}

// encrypts says whether reports can be encrypted as a configuration asks, by
// wrapping a key that is then thrown away.
func (k keyring) encrypts(e stocktake.Encryption) error {
	want := object.Encryption{Algorithm: "AES256"}
	if e.SSEKMS {
		want = object.Encryption{Algorithm: "KMS", KeyID: e.KeyID}
	}
	_, _, err := k.Wrap(context.Background(), want, kms.NewDataKey())
	if errors.Is(err, object.ErrKMSKey) {
		return &stocktake.InvalidArgumentError{
			Element: "Destination/OSSBucketDestination/Encryption/SSE-KMS/KeyId", Value: e.KeyID, EC: "0005-00000201",
			Reason: "there is no such key, or it is disabled",
		}
	}
	return err
}
