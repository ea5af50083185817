package kms

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/stocktake/stocktake/internal/securefile"
)

// MasterSize is the size of a master key in bytes.
const MasterSize = 32

// Conditions of the master key.
var (
	// ErrNoMaster reports a missing master key for existing keys.
	ErrNoMaster = errors.New("kms: the master key is missing; restore it: without it no encrypted data can be read")
	// ErrWrongMaster reports a master key that does not unwrap the keys.
	ErrWrongMaster = errors.New("kms: the master key is not the one that encrypted the keys")
	// ErrInvalidMaster reports a text that is not a master key.
	ErrInvalidMaster = errors.New("kms: a master key is 32 bytes in base64")
)

// ParseMaster parses the content of a master key file or of an environment variable: keys of 32
// bytes in base64, separated by blanks or line ends. The first one is the master key. The
// following ones are former keys, which only unwrap. It returns their concatenation.
func ParseMaster(text string) ([]byte, error) {
	var keys []byte
	for _, field := range strings.Fields(text) {
		key, err := base64.StdEncoding.Strict().DecodeString(field)
		if err != nil || len(key) != MasterSize {
			return nil, ErrInvalidMaster
		}
		keys = append(keys, key...)
	}
	if !ValidMaster(keys) {
		return nil, ErrInvalidMaster
	}
	return keys, nil
}

// maxMasters is how many master keys a file may have.
const maxMasters = 8

// ValidMaster reports whether b is a concatenation of one or more master keys.
func ValidMaster(b []byte) bool {
	return len(b) > 0 && len(b)%MasterSize == 0 && len(b) <= maxMasters*MasterSize
}

// masters are the master keys of a process.
type masters []tink.AEAD

func newMasters(b []byte) (m masters, err error) {
	if !ValidMaster(b) {
		return nil, ErrInvalidMaster
	}
	for key := range slices.Chunk(b, MasterSize) {
		aead, err := subtle.NewAESGCM(key)
		if err != nil {
			return nil, err
		}
		m = append(m, aead)
	}
	return m, nil
}

// unwrap decrypts the material of a version. with is the key that wrapped it.
func (m masters) unwrap(id string, version int, wrapped []byte) (material []byte, with tink.AEAD, err error) {
	for _, aead := range m {
		if material, err := aead.Decrypt(wrapped, materialContext(id, version)); err == nil {
			return material, aead, nil
		}
	}
	return nil, nil, ErrWrongMaster
}

// wrapperOf returns the key that the material of a file is wrapped with, the first one for a file without
// keys. New material is wrapped with the same key, so that processes without the first key can read
// it: only [Rewrap] changes the key.
func (m masters) wrapperOf(f *file) (tink.AEAD, error) {
	for _, k := range f.Keys {
		if len(k.Versions) > 0 {
			_, with, err := m.unwrap(k.ID, 1, k.Versions[0].Wrapped)
			return with, err
		}
	}
	return m[0], nil
}

// ReadMaster reads master keys from their file, which only its owner may read. Errors:
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

// findMaster finds the master key: opts.Master, else that of opts.MasterFile, else a
// new one that is kept there, unless keys of an older one exist. The caller holds
// the lock of the keys' file.
func findMaster(opts Options, first bool) ([]byte, error) {
	if opts.Master != nil {
		if !ValidMaster(opts.Master) {
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

// Rewrap returns the content of a file of keys with all material wrapped by the first of the
// master keys to. Nothing else changes. Errors: ErrWrongMaster if none of the keys from fits,
// ErrInvalidMaster.
func Rewrap(data, from, to []byte) ([]byte, error) {
	f, err := readFile(data)
	if err != nil {
		return nil, err
	}
	old, err := newMasters(from)
	if err != nil {
		return nil, err
	}
	next, err := newMasters(to)
	if err != nil {
		return nil, err
	}
	if err := rewrap(f, old, next[0]); err != nil {
		return nil, err
	}
	return f.encode()
}

func rewrap(f *file, from masters, to tink.AEAD) error {
	for _, k := range f.Keys {
		for i := range k.Versions {
			v := &k.Versions[i]
			material, _, err := from.unwrap(k.ID, i+1, v.Wrapped)
			if err != nil {
				return fmt.Errorf("key %s, version %d: %w", k.ID, i+1, err)
			}
			v.Wrapped, err = to.Encrypt(material, materialContext(k.ID, i+1))
			clear(material)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// RotateMaster wraps the material of all keys with the first master key. It returns false if
// that key already wraps them.
func (k *Keys) RotateMaster() (changed bool, err error) {
	err = k.doc.Update(func(data []byte) ([]byte, error) {
		f, err := k.decode(data)
		if err != nil {
			return nil, err
		}
		now, err := k.masters.wrapperOf(f)
		if err != nil {
			return nil, err
		}
		if changed = now != k.masters[0]; !changed {
			return data, nil
		}
		if err := rewrap(f, k.masters, k.masters[0]); err != nil {
			return nil, err
		}
		return f.encode()
	})
	return changed && err == nil, err
}
