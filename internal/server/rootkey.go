package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/stocktake/stocktake/internal/securefile"
)

// An AccessKey is the key that a client signs with.
type AccessKey struct {
	ID     string `json:"accessKeyId"`
	Secret string `json:"accessKeySecret"`
	Token  string `json:"-"` // of a temporary key; empty for others
}

// ReadRootKey reads the access key that a server made in its data folder. The
// error is fs.ErrNotExist if there is none, and a *SettingError if the folder is
// not safe to read from.
func ReadRootKey(f Folder) (AccessKey, error) {
	var k AccessKey
	if err := f.Check(); err != nil {
		return k, err
	}
	b, err := securefile.Read(f.RootKey(), maxRootKey)
	if err != nil {
		return k, err
	}
	return parseRootKey(b, f.RootKey())
}

// maxRootKey is the maximum size of the file of a root key, in bytes.
const maxRootKey = 4 << 10

func parseRootKey(b []byte, place string) (k AccessKey, err error) {
	if err := json.Unmarshal(b, &k); err != nil || k.ID == "" || k.Secret == "" {
		return AccessKey{}, fmt.Errorf("%s does not hold an access key: remove it, and the server creates a new one", place)
	}
	return k, nil
}

func newRootKey() AccessKey {
	return AccessKey{ID: "LTAI" + rand.Text()[:20], Secret: rand.Text() + rand.Text()[:4]}
}

// rootKey returns the account's own key: the configured one, else the one in the data folder, else
// a new one. made reports a new key, for keepRootKey. With a database, the key is empty unless one
// is configured.
func rootKey(cfg *Config) (k AccessKey, made bool, err error) {
	if cfg.RootKey.ID != "" || cfg.Database != "" {
		return cfg.RootKey, false, nil
	}
	f := Folder(cfg.Data)
	k, err = ReadRootKey(f)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	return newRootKey(), true, nil
}

// keepRootKey keeps a new key in the data folder.
func keepRootKey(f Folder, k AccessKey) error {
	b, err := json.MarshalIndent(k, "", "  ")
	if err == nil {
		err = securefile.Replace(f.RootKey(), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the new access key: %w", err)
	}
	return nil
}
