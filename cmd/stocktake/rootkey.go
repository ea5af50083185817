package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stocktake/stocktake/internal/securefile"
)

// rootKeyFile lies in the data folder and holds the account's own access key
// where the environment gives none.
const rootKeyFile = "root-key.json"

// An accessKey is what a client signs with.
type accessKey struct {
	ID     string `json:"accessKeyId"`
	Secret string `json:"accessKeySecret"`
	Token  string `json:"-"`
}

// envKey reads the names the official SDKs read. Half a key is an error: the
// other key that would be taken instead has other rights.
func envKey() (k accessKey, ok bool, err error) {
	k = accessKey{os.Getenv("OSS_ACCESS_KEY_ID"), os.Getenv("OSS_ACCESS_KEY_SECRET"), os.Getenv("OSS_SESSION_TOKEN")}
	if (k.ID == "") != (k.Secret == "") {
		return k, false, usagef("OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET: set both or neither")
	}
	return k, k.ID != "", nil
}

// readRootKey reads the key that a server made in its data folder.
// fs.ErrNotExist if it made none.
func readRootKey(dir string) (accessKey, error) {
	var k accessKey
	path := filepath.Join(dir, rootKeyFile)
	b, err := securefile.Read(path, 4<<10)
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil || k.ID == "" || k.Secret == "" {
		return k, fmt.Errorf("%s does not hold an access key; remove it and a new one is made", path)
	}
	return k, nil
}

// rootKey is the account's own key: from the environment, else from the data
// folder, else a new one that is kept there. made says that it is new.
func rootKey(dir string) (k accessKey, made bool, err error) {
	if k, ok, err := envKey(); ok || err != nil {
		return k, false, err
	}
	k, err = readRootKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	k = accessKey{ID: "LTAI" + rand.Text()[:20], Secret: rand.Text() + rand.Text()[:4]}
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return k, false, err
	}
	if err := securefile.Replace(filepath.Join(dir, rootKeyFile), append(b, '\n')); err != nil {
		return k, false, fmt.Errorf("keep the new access key: %w", err)
	}
	return k, true, nil
}
