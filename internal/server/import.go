package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securefile"
)

// awaitServers is how long to wait until a change is in force on all servers.
const awaitServers = 3 * time.Second

// movedAside is appended to the names of files whose content is in the database.
const movedAside = ".imported"

// Import copies accounts, encryption keys and the root key of a data folder into the database,
// which must not have any, all or none. local is the master key of the folder; nil means the one in
// the folder. Afterwards Import renames the accounts and the root key of the folder; its encryption
// keys stay, to decrypt its objects. It returns the names of the documents. Errors:
// securerow.ErrNotEmpty, fs.ErrNotExist if the folder has no such document.
func (s *Shared) Import(ctx context.Context, f Folder, local, master []byte) (names []string, err error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	documents := map[string][]byte{}
	read := func(name, path string, max int64) error {
		data, err := securefile.Read(path, max)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		documents[name] = data
		names = append(names, name)
		return nil
	}
	if err := errors.Join(
		read(sharedAccounts, f.Accounts(), ram.MaxSize),
		read(sharedKeys, f.EncryptionKeys(), kms.MaxSize),
		read(sharedRootKey, f.RootKey(), maxRootKey),
	); err != nil {
		return nil, err
	}
	if len(documents) == 0 {
		return nil, fmt.Errorf("%s has no accounts and no keys: %w", f, fs.ErrNotExist)
	}
	if data := documents[sharedAccounts]; data != nil {
		if _, err := ram.CountAccounts(data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Accounts(), err)
		}
	}
	if data := documents[sharedRootKey]; data != nil {
		if _, err := parseRootKey(data, f.RootKey()); err != nil {
			return nil, err
		}
	}
	if data := documents[sharedKeys]; data != nil {
		if local, err = localMaster(f, local); err != nil {
			return nil, err
		}
		if documents[sharedKeys], err = kms.Rewrap(data, local, master); err != nil {
			return nil, fmt.Errorf("%s: %w", f.EncryptionKeys(), err)
		}
	}
	if err := s.table.Import(ctx, documents); err != nil {
		return nil, err
	}
	for _, path := range []string{f.Accounts(), f.RootKey()} {
		if err := os.Rename(path, path+movedAside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return names, fmt.Errorf("everything is in the database, but the imported files could not be renamed: %w", err)
		}
	}
	slices.Sort(names)
	return names, nil
}

// localMaster returns the master key of the encryption keys in a folder: the one in the folder,
// otherwise given.
func localMaster(f Folder, given []byte) ([]byte, error) {
	master, err := kms.ReadMaster(f.MasterKey())
	switch {
	case errors.Is(err, fs.ErrNotExist) && given != nil:
		return given, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", f.MasterKey(), kms.ErrNoMaster)
	}
	return master, err
}
