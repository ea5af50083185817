package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/datafolder"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securefile"
)

// A Folder is the path of a data folder. Its methods return the paths of its files; docs/formats
// describes each.
type Folder string

// Check refuses a folder in which other users may have placed files. The error is a *SettingError.
// Call it before opening a data folder.
func (f Folder) Check() error {
	if err := securefile.CheckFolder(string(f)); err != nil {
		return &SettingError{"data", err}
	}
	return nil
}

// checkUsable refuses a folder whose file system is read-only, or that has a folder which the
// server may not read and write, such as one restored by another user: what is in it would fail
// one by one, and say less.
func (f Folder) checkUsable() error {
	for _, name := range []string{".", datafolder.IndexName, datafolder.BlobsName, datafolder.UnfinishedName} {
		if err := checkUsable(f.join(name)); err != nil {
			return &SettingError{"data", err}
		}
	}
	return nil
}

func checkUsable(dir string) error {
	if entries, err := os.Open(dir); err == nil {
		_ = entries.Close()
	} else if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the folder cannot be read: %w", err)
	}
	probe, err := os.OpenFile(filepath.Join(dir, datafolder.ProbeName), os.O_CREATE|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the folder cannot be written: %w", err)
	case err != nil:
		return nil // it does not exist yet, or the disk is full, for which the store has room kept
	}
	err = os.Remove(probe.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // another server that starts removed it; the store tells them apart
	}
	return errors.Join(probe.Close(), err)
}

func (f Folder) join(name string) string { return filepath.Join(string(f), name) }

// RootKey returns the path of the access key of the account itself, if the
// server made one.
func (f Folder) RootKey() string { return f.join(datafolder.RootKeyName) }

// Accounts returns the path of the directory of accounts, users, keys, roles
// and policies.
func (f Folder) Accounts() string { return f.join(datafolder.AccountsName) }

// EncryptionKeys returns the path of the file of keys that objects and reports
// are encrypted with.
func (f Folder) EncryptionKeys() string { return f.join(datafolder.EncryptionKeysName) }

// MasterKey returns the path of the key that wraps the encryption keys, unless the
// settings have one.
func (f Folder) MasterKey() string { return f.join(datafolder.MasterKeyName) }

// Catalog returns the path of the database of configurations and runs.
func (f Folder) Catalog() string { return f.join(datafolder.CatalogName) }

// WebhookSecret returns the path of the secret that signs notices, unless
// another file is named.
func (f Folder) WebhookSecret() string { return f.join(datafolder.WebhookSecretName) }

// Seed counts the starts of a server with a seed.
func (f Folder) Seed() string { return f.join(datafolder.SeedName) }

// Stores is the file of the bucket names that stores in the settings have claimed so far.
func (f Folder) Stores() string { return f.join(datafolder.StoresName) }

// Index returns the path of the folder of the embedded store's index.
func (f Folder) Index() string { return f.join(datafolder.IndexName) }

// CheckParts refuses a folder that has lost one of the parts named, so that a command does not
// create a new one in its place. The error is a *datafolder.LossError.
func (f Folder) CheckParts(names ...string) error { return datafolder.CheckParts(string(f), names...) }

// Register records the parts that the folder has now. It is called after a part may have been
// created.
func (f Folder) Register() error {
	_, err := datafolder.Register(string(f), time.Now())
	return err
}

// Losses inspects each part and returns those that are lost or damaged. A nil master means the
// master key in the folder.
func (f Folder) Losses(ctx context.Context, master []byte) ([]datafolder.Loss, error) {
	opts := datafolder.Options{Damaged: map[string]func(string) error{
		datafolder.CatalogName: func(path string) error { return checkCatalog(ctx, path, true) },
		datafolder.AccountsName: func(path string) error {
			_, err := ram.Open(path, ram.Root{AccessKeyID: "audit", Secret: "audit", Account: DefaultAccount}, ram.Options{})
			return err
		},
		datafolder.EncryptionKeysName: func(path string) error {
			opts := kms.Options{Master: master}
			if master == nil {
				if opts.MasterFile = f.MasterKey(); !fileExists(opts.MasterFile) {
					return nil // that loss is reported separately, and opening the keys would create a new one
				}
			}
			_, err := kms.Open(path, opts)
			return err
		},
	}}
	if master != nil {
		opts.Unused = []string{datafolder.MasterKeyName}
	}
	err := datafolder.Check(string(f), opts)
	if lost, ok := errors.AsType[*datafolder.LossError](err); ok {
		return lost.Losses, nil
	}
	return nil, err
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkCatalog reads the catalog. Only errors that SQLite calls damage count: a catalog that cannot
// be read for another reason may be intact.
func checkCatalog(ctx context.Context, path string, thorough bool) error {
	err := sqlite.Check(ctx, path, thorough)
	if err == nil || errors.Is(err, sqlite.ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", datafolder.ErrNotChecked, err)
}

// registerInterval is how often a server looks for new parts.
const registerInterval = time.Minute

// checkWhole refuses a data folder that has lost parts, except those whose loss
// the settings accept.
func (s *Server) checkWhole(ctx context.Context) error {
	if err := s.folder.checkUsable(); err != nil {
		return err
	}
	opts := datafolder.Options{Damaged: map[string]func(string) error{
		datafolder.CatalogName: func(path string) error { return checkCatalog(ctx, path, false) },
	}}
	for name, unused := range map[string]bool{
		datafolder.RootKeyName:       s.cfg.RootKey.ID != "" || s.cfg.Database != "",
		datafolder.AccountsName:      s.cfg.Database != "",
		datafolder.MasterKeyName:     s.cfg.MasterKey != nil,
		datafolder.WebhookSecretName: len(s.cfg.Webhooks) == 0 || s.cfg.WebhookSecretFile != "",
		datafolder.SeedName:          s.cfg.Seed == "",
		datafolder.CatalogName:       s.cfg.Database != "",
	} {
		if unused {
			opts.Unused = append(opts.Unused, name)
		}
	}
	s.adopts = fileExists(s.folder.Index())
	if len(s.cfg.AcceptLoss) > 0 {
		givenUp, err := datafolder.AcceptLoss(string(s.folder), s.cfg.AcceptLoss, time.Now(), opts)
		for _, name := range givenUp {
			s.log.Warn("a lost part of the data folder was given up; its remains were renamed", "part", name)
		}
		if errors.Is(err, datafolder.ErrUnknownPart) {
			return &SettingError{"accept-loss", err}
		}
		if err != nil {
			return err
		}
		if len(givenUp) == 0 {
			s.log.Warn("--accept-loss has no effect: these parts of the data folder are whole", "parts", s.cfg.AcceptLoss)
		}
	}
	return datafolder.Check(string(s.folder), opts)
}

// register records the present parts of the data folder.
func (s *Server) register() error {
	made, err := datafolder.Register(string(s.folder), time.Now())
	if made && s.adopts {
		s.log.Info("recorded the parts of the data folder; from now on the server does not start if one is missing", "file", s.folder.join(datafolder.FileName))
	}
	return err
}

// registerParts registers new parts of a running server until ctx ends.
func (s *Server) registerParts(ctx context.Context) error {
	ticker := time.NewTicker(registerInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		if err := s.register(); err != nil {
			s.log.Warn("cannot record the parts of the data folder", "err", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
