package main

import (
	"os"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/server"
)

// masterEnv is the environment variable of the master key. With it, a copy of
// the data folder alone opens nothing.
const masterEnv = "STOCKTAKE_MASTER_KEY"

// envKey reads the names that the official SDKs read. Half a key is an error: the
// key that would be taken instead has other rights.
func envKey() (k server.AccessKey, ok bool, err error) {
	k = server.AccessKey{ID: os.Getenv("OSS_ACCESS_KEY_ID"), Secret: os.Getenv("OSS_ACCESS_KEY_SECRET"), Token: os.Getenv("OSS_SESSION_TOKEN")}
	if (k.ID == "") != (k.Secret == "") {
		return k, false, usagef("OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET: set both or neither")
	}
	return k, k.ID != "", nil
}

// envMaster reads the master key; nil if it is not set.
func envMaster() ([]byte, error) {
	text := os.Getenv(masterEnv)
	if text == "" {
		return nil, nil
	}
	master, err := kms.ParseMaster(text)
	if err != nil {
		return nil, usagef("%s: %w", masterEnv, err)
	}
	return master, nil
}

// settingSource is where a person sets a setting of the server: the flag of the
// same name, or the environment.
func settingSource(name string) string {
	switch name {
	case "access-key":
		return "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET"
	case "master-key":
		return masterEnv
	}
	return "--" + name
}
