package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/stocktake/stocktake/internal/securefile"
)

// An AccessKey is what a client signs with.
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
	b, err := securefile.Read(f.RootKey(), 4<<10)
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil || k.ID == "" || k.Secret == "" {
		return k, fmt.Errorf("%s does not hold an access key: remove it to have a new one made", f.RootKey())
	}
	return k, nil
}

// rootKey returns the account's own key: the configured one, else the one in
// the data folder, else a new one. made reports a new key, for keepRootKey.
func rootKey(cfg *Config) (k AccessKey, made bool, err error) {
	if cfg.RootKey.ID != "" {
		return cfg.RootKey, false, nil
	}
	f := Folder(cfg.Data)
	k, err = ReadRootKey(f)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	k = AccessKey{ID: "LTAI" + rand.Text()[:20], Secret: rand.Text() + rand.Text()[:4]}
	return k, true, nil
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
