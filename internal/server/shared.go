package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/securerow"
)

// Documents that servers share in a database.
const (
	sharedAccounts = "accounts"
	sharedKeys     = "encryption-keys"
	sharedRootKey  = "root-key"
)

// sharedSizes returns how many bytes each may have.
func sharedSizes() map[string]int {
	return map[string]int{sharedAccounts: ram.MaxSize, sharedKeys: kms.MaxSize, sharedRootKey: maxRootKey}
}

// openShared opens the accounts, encryption keys and root key that servers on one database share.
// Without a database it does nothing.
func (s *Server) openShared(ctx context.Context, counts *metrics.Metrics) error {
	if s.cfg.Database == "" {
		return nil
	}
	if err := s.leftBehind(); err != nil {
		return err
	}
	cat, err := s.openDatabase(ctx)
	if err != nil {
		return err
	}
	s.sharedCatalog = cat
	host := s.host()
	t, err := securerow.Open(ctx, s.database, s.cfg.MasterKey, sharedSizes(), securerow.Options{
		Host: host, Writer: "server " + host, MaxAge: s.cfg.AccountsMaxAge, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("open accounts and keys: %w", err)
	}
	if s.cfg.RootKey.ID == "" {
		if s.key, s.keyMade, err = rootKeyOf(t.Row(sharedRootKey)); err != nil {
			return err
		}
	}
	t.CompareSetting("the root key", func() []byte { return []byte(s.key.ID + "\x00" + s.key.Secret) })
	t.CompareSetting("account-id", func() []byte { return []byte(s.cfg.AccountID) })
	t.CompareSetting("region", func() []byte { return []byte(s.cfg.Region) })
	t.CompareSetting("production", func() []byte { return fmt.Append(nil, s.cfg.Production) })
	s.shared = t
	s.work(t.Serve)
	s.onClose(func() error {
		t.Leave()
		return nil
	})
	s.readyIf(t.Confirmed)
	s.mentions = append(s.mentions, func() error {
		if what := t.Differences(); what != "" {
			return errors.New(what)
		}
		return nil
	})
	counts.Shared(func() metrics.SharedState {
		state := metrics.SharedState{Age: t.Age(), Differ: t.Differences() != "", Versions: map[string]int64{}}
		for name := range sharedSizes() {
			state.Versions[name] = t.Row(name).Version()
		}
		return state
	})
	return nil
}

// host returns the name of this process for people.
func (s *Server) host() string {
	if s.cfg.Name != "" {
		return s.cfg.Name
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// leftBehind refuses a data folder whose accounts would be ignored, since they are in
// the database now.
func (s *Server) leftBehind() error {
	left := func(path, what string) error {
		return fmt.Errorf("%s has %s, which would be ignored: with --database all servers use those of the database: "+
			"import them with stocktake migrate --import %s, or move the file away", path, what, s.folder)
	}
	data, err := securefile.Read(s.folder.Accounts(), ram.MaxSize)
	if err == nil {
		var n int
		if n, err = ram.CountAccounts(data); n > 0 {
			return left(s.folder.Accounts(), "accounts, keys or roles")
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", s.folder.Accounts(), err)
	}
	if s.cfg.RootKey.ID == "" && fileExists(s.folder.RootKey()) {
		return left(s.folder.RootKey(), "the root access key")
	}
	return nil
}

// rootKeyOf returns the root key in a storage, or creates it. If several servers start at once, one
// creates it.
func rootKeyOf(storage securefile.Storage) (k AccessKey, made bool, err error) {
	_, err = storage.Update(func(data []byte) ([]byte, error) {
		if made = data == nil; made {
			k = newRootKey()
			return json.Marshal(k)
		}
		k, err = parseRootKey(data, storage.String())
		return data, err
	})
	return k, made, err
}

// RootKeyPlace returns where the root key is kept, for people.
func (s *Server) RootKeyPlace() string {
	if s.shared != nil {
		return "the database (stocktake key root prints it again)"
	}
	return s.folder.RootKey()
}

// Shared is accounts and keys that servers share in a database, for commands.
type Shared struct {
	cat   *postgres.Catalog
	table *securerow.Table
}

// OpenShared opens the accounts and keys of a database. writer names the author of
// changes, for people. The caller closes it. Errors: a *SettingError, those of
// [postgres.Open] and of [securerow.Open].
func OpenShared(ctx context.Context, address string, master []byte, writer string) (*Shared, error) {
	cfg, err := postgres.Parse(address)
	if err != nil {
		return nil, &SettingError{"database", err}
	}
	cat, err := postgres.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t, err := securerow.Open(ctx, cat.Database(), master, sharedSizes(), securerow.Options{Host: writer, Writer: writer})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open accounts and keys: %w", err), cat.Close())
	}
	return &Shared{cat, t}, nil
}

// Close closes the connections.
func (s *Shared) Close() error { return s.cat.Close() }

// Accounts opens the directory of accounts. Without a root key in the settings, the root key is
// that of the database.
func (s *Shared) Accounts(root AccessKey, account string) (*ram.Directory, error) {
	if root.ID == "" {
		var err error
		if root, err = s.RootKey(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return ram.OpenIn(s.table.Row(sharedAccounts), ram.Root{AccessKeyID: root.ID, Secret: root.Secret, Account: account}, ram.Options{})
}

// EncryptionKeys opens the encryption keys.
func (s *Shared) EncryptionKeys(master []byte) (*kms.Keys, error) {
	return kms.OpenIn(s.table.Row(sharedKeys), kms.Options{Master: master})
}

// RotateMaster encrypts everything with the first of the master keys, all or nothing, and returns
// the names of the documents that were encrypted with another one. A *securerow.MasterUnknownError
// names the servers that do not have the first one yet.
func (s *Shared) RotateMaster(ctx context.Context, masters []byte) (changed []string, err error) {
	return s.table.Rotate(ctx, map[string]func([]byte) ([]byte, error){
		sharedKeys: func(data []byte) ([]byte, error) { return kms.Rewrap(data, masters, masters) },
	})
}

// RootKey returns the root key that a server has made. The error is fs.ErrNotExist if
// there is none.
func (s *Shared) RootKey() (AccessKey, error) {
	storage := s.table.Row(sharedRootKey)
	data, err := storage.Read()
	if err != nil {
		return AccessKey{}, err
	}
	if data == nil {
		return AccessKey{}, fmt.Errorf("%s: no server has created a root key: %w", storage, fs.ErrNotExist)
	}
	return parseRootKey(data, storage.String())
}

// AwaitServers waits until changes are in force on all servers, and returns the names of the
// servers where they are not in force in time.
func (s *Shared) AwaitServers(ctx context.Context) (behind []string, err error) {
	for _, document := range []string{sharedAccounts, sharedKeys} {
		behind, err = s.table.AwaitReaders(ctx, document, awaitServers)
		if err != nil || len(behind) > 0 {
			break
		}
	}
	return behind, err
}
