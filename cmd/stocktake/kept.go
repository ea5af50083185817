package main

import (
	"context"
	"os"
	"os/user"
	"strings"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/server"
)

// keptFlags say where accounts and keys are kept.
type keptFlags struct {
	Data     string `group:"Connection" help:"Data folder of the server." default:"./stocktake-data" type:"path"`
	Database string `group:"Connection" help:"Database of the servers, which has accounts and keys instead of the data folder. Needs the master key." placeholder:"postgres://USER@HOST/NAME"`

	MasterKeyFile string `group:"Connection" help:"File with the master key: 32 bytes in base64. STOCKTAKE_MASTER_KEY has the key itself." placeholder:"FILE"`
}

// A keptIn is the place where a command finds accounts and keys.
type keptIn struct {
	folder server.Folder
	master []byte         // nil: that of the folder
	shared *server.Shared // nil: they are in the folder
}

func (f *keptFlags) open() (*keptIn, error) {
	master, err := masterKey(f.MasterKeyFile)
	if err != nil {
		return nil, err
	}
	k := &keptIn{folder: server.Folder(f.Data), master: master}
	if f.Database == "" {
		return k, nil
	}
	if master == nil {
		return nil, usagef("--database: the master key of the servers is needed: set %s or --master-key-file", masterEnv)
	}
	k.shared, err = server.OpenShared(context.Background(), f.Database, master, person())
	return k, err
}

// folder returns the data folder. A folder that no server has used yet is refused, so that a
// mistyped path does not become one.
func (f *keptFlags) folder() (server.Folder, error) {
	if f.Data == "" {
		return "", usagef("--data: name the data folder of the server")
	}
	if st, err := os.Stat(f.Data); err != nil || !st.IsDir() {
		return "", usagef("--data: %s is not a folder: start a server on it first", f.Data)
	}
	return server.Folder(f.Data), nil
}

func (k *keptIn) close() error {
	if k.shared == nil {
		return nil
	}
	return k.shared.Close()
}

// changed is called after a change. It waits until the change is in force on all
// servers, or prints the servers where it is not.
func (k *keptIn) changed(con console) error {
	if k.shared == nil {
		return k.folder.Register()
	}
	behind, err := k.shared.AwaitServers(context.Background())
	if err != nil {
		_, err = sayf(con.err, "the change was made; cannot find out whether it is in force on all servers: %v\n", err)
		return err
	}
	if len(behind) > 0 {
		_, err = sayf(con.err, "the change was made, but is not in force on %s yet: a server that cannot reach the database uses the former accounts for at most its --accounts-max-age\n", strings.Join(behind, ", "))
	}
	return err
}

// person returns who runs the command, for the servers' audit logs.
func person() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// masterKey reads the master key from a file or the environment; nil if neither is set.
func masterKey(path string) ([]byte, error) {
	master, err := envMaster()
	switch {
	case err != nil || path == "":
		return master, err
	case master != nil:
		return nil, usagef("%s and --master-key-file: set only one of them", masterEnv)
	}
	if master, err = kms.ReadMaster(path); err != nil {
		return nil, usagef("--master-key-file: %w", err)
	}
	return master, nil
}
