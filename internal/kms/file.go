package kms

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/stocktake/stocktake/internal/securefile"
)

// Bounds of what is kept.
const (
	MaxKeys     = 1000 // named keys
	MaxVersions = 1000 // of one key

	fileVersion = 2         // of new files; version 1 has no accounts
	MaxSize     = 256 << 20 // bytes of all of them
	keySize     = 32        // bytes of the material of a version
)

// A file holds the keys, in JSON; see docs/formats/encryption.md.
type file struct {
	Version int        `json:"version"`
	Default string     `json:"default,omitempty"` // id of the default key
	Keys    []*keyFile `json:"keys"`

	wrapper tink.AEAD // master key that its material is wrapped with
}

type keyFile struct {
	ID       string        `json:"id"`                // UUID; of the service key serviceID
	Name     string        `json:"name,omitempty"`    // unique
	Account  string        `json:"account,omitempty"` // of the owner; empty: any account (service key), or not yet known (version 1)
	Disabled bool          `json:"disabled,omitempty"`
	Created  time.Time     `json:"created"`
	Versions []versionFile `json:"versions"` // version 1 first
}

type versionFile struct {
	Wrapped []byte    `json:"wrapped"` // material, wrapped by the master key
	Created time.Time `json:"created"`
}

func readFile(b []byte) (*file, error) {
	f := new(file)
	if err := securefile.DecodeJSON(b, f); err != nil {
		return nil, err
	}
	if f.Version < 1 || f.Version > fileVersion {
		return nil, fmt.Errorf("format version %d; this program knows up to %d", f.Version, fileVersion)
	}
	if slices.Contains(f.Keys, nil) {
		return nil, errors.New("an item of a list is empty")
	}
	return f, nil
}

func (f *file) encode() ([]byte, error) {
	f.Version = fileVersion
	b, err := json.MarshalIndent(f, "", "  ")
	return append(b, '\n'), err
}

// assignAccount assigns the keys without an account to one, and reports whether it changed
// any. The key of the service keeps no account.
func (f *file) assignAccount(account string) (changed bool) {
	for _, k := range f.Keys {
		if k.Account == "" && k.ID != ServiceKey && account != "" {
			k.Account, changed = account, true
		}
	}
	return changed
}

func (f *file) key(id string) *keyFile {
	for _, k := range f.Keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// A state is the keys, ready for use. It does not change.
type state struct {
	file *file
	keys map[string]*key // by id and by name
}

type key struct {
	*keyFile
	versions []tink.AEAD // of version i+1
}

// newState unwraps all keys. The error is ErrWrongMaster if no master key unwraps
// them.
func newState(f *file, from masters) (*state, error) {
	s := &state{file: f, keys: map[string]*key{}}
	if len(f.Keys) > MaxKeys+1 {
		return nil, ErrLimit
	}
	for _, kf := range f.Keys {
		if kf.ID == "" || len(kf.ID) > maxID || len(kf.Versions) == 0 || len(kf.Versions) > MaxVersions {
			return nil, errors.New("a key has no id or no version")
		}
		k := &key{keyFile: kf}
		for i, v := range kf.Versions {
			material, _, err := from.unwrap(kf.ID, i+1, v.Wrapped)
			if err != nil {
				return nil, fmt.Errorf("key %s, version %d: %w", kf.ID, i+1, err)
			}
			a, err := subtle.NewAESGCM(material)
			if err != nil {
				return nil, err
			}
			k.versions = append(k.versions, a)
		}
		for _, name := range [...]string{kf.ID, kf.Name} {
			if name == "" {
				continue
			}
			if s.keys[name] != nil {
				return nil, fmt.Errorf("two keys have the name %s", name)
			}
			s.keys[name] = k
		}
	}
	if f.Default != "" && s.keys[f.Default] == nil {
		return nil, errors.New("the default key is missing")
	}
	return s, nil
}

// materialContext returns the associated data of a wrapped version. It prevents that one
// version is replaced by another.
func materialContext(id string, version int) []byte {
	return wrapContext("stocktake key 1", id, version, nil)
}

// wrapContext is
//
//	what, 00, length of id in 1 byte, id, version in 4 bytes big-endian, aad
func wrapContext(what, id string, version int, aad []byte) []byte {
	b := make([]byte, 0, len(what)+6+len(id)+len(aad))
	b = append(append(b, what...), 0, byte(len(id)))
	b = append(b, id...)
	b = binary.BigEndian.AppendUint32(b, uint32(version))
	return append(b, aad...)
}
