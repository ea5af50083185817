package kms

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake/internal/securefile"
)

// Conditions that a caller branches on with errors.Is.
var (
	ErrNoSuchKey   = errors.New("kms: no such key")
	ErrKeyDisabled = errors.New("kms: the key is disabled")
	ErrKeyExists   = errors.New("kms: a key of this name exists")
	ErrInvalidName = errors.New("kms: a name has 1 to 64 letters, digits, '-', '_', '/'")
	ErrLimit       = errors.New("kms: too many keys, or versions of a key")
	ErrUnwrap      = errors.New("kms: the wrapped key belongs to another key, or was changed")
)

// Key ids with a meaning of their own.
const (
	// ServiceKey is the key of the service itself, for encryption with "AES256". It
	// is not listed, and callers must not let clients name it.
	ServiceKey = "service"

	// DefaultKey is the key of requests that name none, for encryption with "KMS". It is created at
	// its first use.
	DefaultKey = ""
)

// defaultName is the name of the default key.
const defaultName = "default"

// maxID is the longest key id, in bytes.
const maxID = 64

// Info is the public state of a key.
type Info struct {
	ID       string // UUID
	Name     string // may be empty
	Account  string // owner, the only account that may encrypt with it, unless it is the default key
	Default  bool
	Disabled bool
	Versions int // the last version wraps, all versions unwrap
	Created  time.Time
	Rotated  time.Time // when the last version was created
}

// Options tune [Open]. One of Master and MasterFile must be set.
type Options struct {
	Master     []byte // MasterSize bytes; nil: read from MasterFile
	MasterFile string // path of the file with the master key, which is created with the first keys; keep a copy elsewhere

	// Account is the account of keys that were created before keys had accounts. A server sets it;
	// empty leaves such keys unchanged.
	Account string

	Now  func() time.Time // nil means time.Now
	Rand io.Reader        // of keys and ids; nil means crypto/rand
	Log  *slog.Logger     // nil means slog.Default()

	Audit *slog.Logger // for changes that other processes make; nil means Log
}

// Keys are named encryption keys in a file or another storage. Its methods may be called
// concurrently. Every change is durable when its method returns nil, and is then also in force
// for other processes with the same file.
type Keys struct {
	opts    Options
	masters masters
	doc     securefile.Document[state]
}

// Open opens the keys in the file path, and creates the file if it does not exist. Keys need
// not be closed. Errors: ErrNoMaster, ErrWrongMaster, ErrInvalidMaster.
func Open(path string, opts Options) (*Keys, error) {
	return OpenIn(securefile.NewFile(path, MaxSize), opts)
}

// OpenIn opens the keys that are kept in storage, which must allow [MaxSize] bytes.
func OpenIn(storage securefile.Storage, opts Options) (*Keys, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	opts.Audit = cmp.Or(opts.Audit, opts.Log)
	k := &Keys{opts: opts}
	k.doc = securefile.Document[state]{
		Storage: storage, Parse: k.parse, Changed: k.logChanges,
		Failed: func(err error) {
			opts.Log.Error("cannot read the changed encryption keys; the former ones stay in force", "err", err)
		},
	}
	// Make sure that there is a file with a service key, which also proves that the
	// master key is the right one.
	err := k.doc.Update(func(data []byte) ([]byte, error) {
		f, err := k.decode(data)
		if err != nil {
			return nil, err
		}
		material, err := findMaster(opts, len(f.Keys) == 0)
		if err != nil {
			return nil, err
		}
		if k.masters, err = newMasters(material); err != nil {
			return nil, err
		}
		if f.wrapper, err = k.masters.wrapperOf(f); err != nil {
			return nil, fmt.Errorf("%s: %w", k.doc.Storage, err)
		}
		claimed := f.assignAccount(opts.Account)
		if f.key(ServiceKey) != nil && !claimed {
			return data, nil
		}
		if f.key(ServiceKey) == nil {
			if _, err := k.addKey(f, ServiceKey, "", ""); err != nil {
				return nil, err
			}
		}
		return f.encode()
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// decode decodes the content of the file; nil is an empty file.
func (k *Keys) decode(data []byte) (*file, error) {
	if data == nil {
		return &file{Version: fileVersion}, nil
	}
	f, err := readFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.doc.Storage, err)
	}
	return f, nil
}

// parse returns the state for the content of the file.
func (k *Keys) parse(data []byte) (*state, error) {
	f, err := k.decode(data)
	if err != nil {
		return nil, err
	}
	s, err := newState(f, k.masters)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.doc.Storage, err)
	}
	if s.keys[ServiceKey] == nil {
		return nil, fmt.Errorf("%s: the key of the service is missing", k.doc.Storage)
	}
	return s, nil
}

// Refresh reads the keys again if they have changed, as every method does, and returns an error if
// the present keys cannot be read.
func (k *Keys) Refresh() error { return k.doc.Refresh() }

// current returns the present state of the file.
func (k *Keys) current() *state { return k.doc.Current() }

// update changes the file in one atomic step; an error of edit changes nothing.
func (k *Keys) update(edit func(f *file) error) error {
	return k.doc.Update(func(data []byte) ([]byte, error) {
		f, err := k.decode(data)
		if err != nil {
			return nil, err
		}
		if f.wrapper, err = k.masters.wrapperOf(f); err != nil {
			return nil, fmt.Errorf("%s: %w", k.doc.Storage, err)
		}
		if err := edit(f); err != nil {
			return nil, err
		}
		return f.encode()
	})
}

// addKey makes a key with a first version.
func (k *Keys) addKey(f *file, id, name, account string) (*keyFile, error) {
	if len(f.Keys) > MaxKeys {
		return nil, ErrLimit
	}
	kf := &keyFile{ID: id, Name: name, Account: account, Created: k.opts.Now().UTC()}
	f.Keys = append(f.Keys, kf)
	return kf, k.addVersion(f, kf)
}

func (k *Keys) addVersion(f *file, kf *keyFile) error {
	if len(kf.Versions) >= MaxVersions {
		return ErrLimit
	}
	material := make([]byte, keySize)
	if _, err := io.ReadFull(k.opts.Rand, material); err != nil {
		return err
	}
	defer clear(material)
	wrapped, err := f.wrapper.Encrypt(material, materialContext(kf.ID, len(kf.Versions)+1))
	if err != nil {
		return err
	}
	kf.Versions = append(kf.Versions, versionFile{Wrapped: wrapped, Created: k.opts.Now().UTC()})
	return nil
}

// Create makes a key of an account. name may be empty. Errors: ErrInvalidName,
// ErrKeyExists, ErrLimit.
func (k *Keys) Create(account, name string) (Info, error) {
	if name != "" && !validName(name) {
		return Info{}, fmt.Errorf("%q: %w", name[:min(len(name), 100)], ErrInvalidName)
	}
	id, err := uuid.NewRandomFromReader(k.opts.Rand)
	if err != nil {
		return Info{}, err
	}
	var info Info
	err = k.update(func(f *file) error {
		if name != "" && slices.ContainsFunc(f.Keys, func(kf *keyFile) bool { return kf.Name == name || kf.ID == name }) {
			return fmt.Errorf("%s: %w", name, ErrKeyExists)
		}
		kf, err := k.addKey(f, id.String(), name, account)
		info = kf.info(f)
		return err
	})
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// validName refuses names that look like an id, so that no name shadows one.
func validName(name string) bool {
	if len(name) > maxID || uuid.Validate(name) == nil {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/") == ""
}

// info returns the public state of kf; the zero Info for nil.
func (kf *keyFile) info(f *file) Info {
	if kf == nil || len(kf.Versions) == 0 {
		return Info{}
	}
	return Info{
		ID: kf.ID, Name: kf.Name, Account: kf.Account, Default: kf.ID == f.Default, Disabled: kf.Disabled, Versions: len(kf.Versions),
		Created: kf.Created, Rotated: kf.Versions[len(kf.Versions)-1].Created,
	}
}

// List returns all keys except that of the service, oldest first.
func (k *Keys) List() []Info {
	f := k.current().file
	list := make([]Info, 0, len(f.Keys))
	for _, kf := range f.Keys {
		if kf.ID != ServiceKey {
			list = append(list, kf.info(f))
		}
	}
	slices.SortStableFunc(list, func(a, b Info) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Get returns a key by id or name, or with [DefaultKey] the default key, which must exist.
// Errors: ErrNoSuchKey.
func (k *Keys) Get(keyID string) (Info, error) {
	s, key, err := k.find(keyID)
	if err != nil {
		return Info{}, err
	}
	return key.info(s.file), nil
}

// find looks a key up in the current state.
func (k *Keys) find(keyID string) (*state, *key, error) {
	s := k.current()
	key, err := s.find(keyID)
	return s, key, err
}

func (s *state) find(keyID string) (*key, error) {
	if keyID == DefaultKey {
		keyID = s.file.Default
	}
	if key := s.keys[keyID]; key != nil {
		return key, nil
	}
	return nil, noSuchKey(keyID)
}

func noSuchKey(keyID string) error {
	return fmt.Errorf("%q: %w", keyID[:min(len(keyID), 100)], ErrNoSuchKey)
}

// edit changes the key that find returns.
func (k *Keys) edit(keyID string, edit func(*file, *keyFile) error) (info Info, err error) {
	err = k.update(func(f *file) error {
		i := slices.IndexFunc(f.Keys, func(kf *keyFile) bool {
			return kf.ID == keyID || keyID != "" && kf.Name == keyID || keyID == DefaultKey && kf.ID == f.Default
		})
		if i < 0 {
			return noSuchKey(keyID)
		}
		if err := edit(f, f.Keys[i]); err != nil {
			return err
		}
		info = f.Keys[i].info(f)
		return nil
	})
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// Rotate adds a version to a key, named by id or name. The new version wraps from then on. The
// key of the service can be rotated, too. Errors: ErrNoSuchKey, ErrLimit.
func (k *Keys) Rotate(keyID string) (Info, error) { return k.edit(keyID, k.addVersion) }

// SetDisabled disables a key, by id or name: nothing can be wrapped or
// unwrapped with it until it is enabled again. Errors: ErrNoSuchKey;
// ErrInvalidName for the key of the service, which cannot be disabled.
func (k *Keys) SetDisabled(keyID string, disabled bool) (Info, error) {
	return k.edit(keyID, func(_ *file, kf *keyFile) error {
		if kf.ID == ServiceKey {
			return fmt.Errorf("the key of the service cannot be disabled: %w", ErrInvalidName)
		}
		kf.Disabled = disabled
		return nil
	})
}

// createDefault creates the default key, unless another process has created it.
func (k *Keys) createDefault() error {
	id, err := uuid.NewRandomFromReader(k.opts.Rand)
	if err != nil {
		return err
	}
	return k.update(func(f *file) error {
		if f.Default != "" {
			return nil
		}
		name := defaultName
		if slices.ContainsFunc(f.Keys, func(kf *keyFile) bool { return kf.Name == name }) {
			name = ""
		}
		f.Default = id.String()
		_, err := k.addKey(f, f.Default, name, k.opts.Account)
		return err
	})
}

const dataContext = "stocktake data key 1"

// Wrap encrypts a data key for an account with the current version of a key: by id
// or name, [ServiceKey] or [DefaultKey]. A key of another account is ErrNoSuchKey,
// except the default key. aad is not stored but must be the same for unwrapping. It
// returns the id of the key that was used. Errors: ErrNoSuchKey, ErrKeyDisabled, and that
// of [securefile.Storage.Confirmed].
//
//	version 1, 1 byte | length of id, 1 byte | id | version of key, 4 bytes | nonce, 12 bytes | data key encrypted | tag, 16 bytes
func (k *Keys) Wrap(ctx context.Context, account, keyID string, dataKey, aad []byte) (usedID string, wrapped []byte, err error) {
	if err := errors.Join(ctx.Err(), k.doc.Confirmed()); err != nil {
		return "", nil, err
	}
	if keyID == DefaultKey && k.current().file.Default == "" {
		if err := k.createDefault(); err != nil {
			return "", nil, err
		}
	}
	s, key, err := k.find(keyID)
	if err != nil {
		return "", nil, err
	}
	if key.Account != "" && key.Account != account && key.ID != s.file.Default {
		return "", nil, noSuchKey(keyID) // the keys of other accounts are not revealed
	}
	if key.Disabled {
		return "", nil, fmt.Errorf("%s: %w", key.ID, ErrKeyDisabled)
	}
	version := len(key.versions)
	sealed, err := key.versions[version-1].Encrypt(dataKey, wrapContext(dataContext, key.ID, version, aad))
	if err != nil {
		return "", nil, err
	}
	wrapped = make([]byte, 0, 6+len(key.ID)+len(sealed))
	wrapped = append(wrapped, 1, byte(len(key.ID)))
	wrapped = append(wrapped, key.ID...)
	wrapped = binary.BigEndian.AppendUint32(wrapped, uint32(version))
	return key.ID, append(wrapped, sealed...), nil
}

// Unwrap is the inverse of Wrap. Errors: ErrUnwrap, ErrNoSuchKey,
// ErrKeyDisabled, and that of [securefile.Storage.Confirmed].
func (k *Keys) Unwrap(ctx context.Context, wrapped, aad []byte) (dataKey []byte, err error) {
	if err := errors.Join(ctx.Err(), k.doc.Confirmed()); err != nil {
		return nil, err
	}
	if len(wrapped) < 2 || wrapped[0] != 1 || len(wrapped) < 6+int(wrapped[1]) {
		return nil, ErrUnwrap
	}
	n := 2 + int(wrapped[1])
	id, rest := wrapped[2:n], wrapped[n:]
	version, sealed := binary.BigEndian.Uint32(rest), rest[4:]
	key := k.current().keys[string(id)]
	switch {
	case key == nil || !bytes.Equal(id, []byte(key.ID)):
		return nil, fmt.Errorf("%q: %w", id[:min(len(id), 100)], ErrNoSuchKey)
	case key.Disabled:
		return nil, fmt.Errorf("%s: %w", key.ID, ErrKeyDisabled)
	case version < 1 || int64(version) > int64(len(key.versions)):
		return nil, ErrUnwrap
	}
	dataKey, err = key.versions[version-1].Decrypt(sealed, wrapContext(dataContext, key.ID, int(version), aad))
	if err != nil {
		return nil, ErrUnwrap
	}
	return dataKey, nil
}
