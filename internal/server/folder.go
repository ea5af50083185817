package server

import (
	"path/filepath"

	"github.com/stocktake/stocktake/internal/securefile"
)

// A Folder is the path of a data folder. Its methods return the paths of what is
// in it; docs/formats describes each.
type Folder string

// Check refuses a folder in which others may have prepared files. The error is a
// *SettingError. Every way into a data folder begins with it.
func (f Folder) Check() error {
	if err := securefile.CheckFolder(string(f)); err != nil {
		return &SettingError{"data", err}
	}
	return nil
}

func (f Folder) join(name string) string { return filepath.Join(string(f), name) }

// RootKey is the access key of the account itself, if the server made one.
func (f Folder) RootKey() string { return f.join("root-key.json") }

// Accounts is the directory of accounts, users, keys, roles and policies.
func (f Folder) Accounts() string { return f.join("access.json") }

// EncryptionKeys is the file of keys that objects and reports are encrypted with.
func (f Folder) EncryptionKeys() string { return f.join("keys.json") }

// MasterKey is the key that wraps the encryption keys, unless it is given.
func (f Folder) MasterKey() string { return f.join("master.key") }

// Catalog is the database of configurations and runs.
func (f Folder) Catalog() string { return f.join("catalog.db") }

// WebhookSecret is the secret that signs notices, unless another file is named.
func (f Folder) WebhookSecret() string { return f.join("webhook.secret") }

// Seed counts the starts of a server with a seed.
func (f Folder) Seed() string { return f.join("seed.json") }

// Index is the folder of the embedded store's index.
func (f Folder) Index() string { return f.join("index") }
