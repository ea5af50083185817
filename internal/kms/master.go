package kms

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/stocktake/stocktake/internal/securefile"
)

// MasterSize is the size of a master key in bytes.
const MasterSize = 32

// Conditions of the master key.
var (
	// ErrNoMaster reports a missing master key for existing keys.
	ErrNoMaster = errors.New("kms: the master key is missing; restore it, for without it nothing that is encrypted can be read")
	// ErrWrongMaster reports a master key that does not unwrap the keys.
	ErrWrongMaster = errors.New("kms: the master key is not the one that the keys were made with")
	// ErrInvalidMaster reports a text that is not a master key.
	ErrInvalidMaster = errors.New("kms: a master key is 32 bytes in base64")
)

// ParseMaster reads a master key in the form of its file or environment variable:
// base64 of 32 bytes, blanks around it allowed.
func ParseMaster(text string) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace([]byte(text))))
	if err != nil || len(key) != MasterSize {
		return nil, ErrInvalidMaster
	}
	return key, nil
}

// ReadMaster reads a master key from its file, which only its owner may read. Errors:
// fs.ErrNotExist, securefile.ErrTooOpen, ErrInvalidMaster.
func ReadMaster(path string) ([]byte, error) {
	text, err := securefile.Read(path, 1024)
	if err != nil {
		return nil, err
	}
	key, err := ParseMaster(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// master finds the master key: opts.Master, else that of opts.MasterFile, else a
// new one that is kept there, unless keys of an older one exist. The caller holds
// the lock of the keys' file.
func master(opts Options, first bool) ([]byte, error) {
	if opts.Master != nil {
		if len(opts.Master) != MasterSize {
			return nil, ErrInvalidMaster
		}
		return bytes.Clone(opts.Master), nil
	}
	if opts.MasterFile == "" {
		return nil, ErrNoMaster
	}
	key, err := ReadMaster(opts.MasterFile)
	switch {
	case err == nil:
		return key, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !first:
		return nil, fmt.Errorf("%s: %w", opts.MasterFile, ErrNoMaster)
	}
	key = make([]byte, MasterSize)
	if _, err := io.ReadFull(opts.Rand, key); err != nil {
		return nil, err
	}
	if err := securefile.Replace(opts.MasterFile, append(base64.StdEncoding.AppendEncode(nil, key), '\n')); err != nil {
		return nil, err
	}
	return key, nil
}

// Rewrap returns the bytes of a file of keys whose material is wrapped by another
// master key, otherwise unchanged. Errors: ErrWrongMaster, ErrInvalidMaster.
func Rewrap(data, from, to []byte) ([]byte, error) {
	f, err := readFile(data)
	if err != nil {
		return nil, err
	}
	if len(from) != MasterSize || len(to) != MasterSize {
		return nil, ErrInvalidMaster
	}
	old, err := subtle.NewAESGCM(from)
	if err != nil {
		return nil, err
	}
	next, err := subtle.NewAESGCM(to)
	if err != nil {
		return nil, err
	}
	for _, k := range f.Keys {
		for i := range k.Versions {
			v := &k.Versions[i]
			material, err := old.Decrypt(v.Wrapped, materialContext(k.ID, i+1))
			if err != nil {
				return nil, fmt.Errorf("key %s, version %d: %w", k.ID, i+1, ErrWrongMaster)
			}
			v.Wrapped, err = next.Encrypt(material, materialContext(k.ID, i+1))
			clear(material)
			if err != nil {
				return nil, err
			}
		}
	}
	return f.encode()
}
