package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/terminal"
)

// kmsCmd is `stocktake kms`.
type kmsCmd struct {
	Create  kmsCreate  `cmd:"" help:"Create a key."`
	List    kmsList    `cmd:"" aliases:"ls" help:"List keys."`
	Rotate  kmsRotate  `cmd:"" help:"Add a new version to a key. Older versions are kept for decryption."`
	Master  kmsMaster  `cmd:"" name:"rotate-master" help:"Encrypt keys, and the accounts in a shared database, with a new master key."`
	Disable kmsDisable `cmd:"" help:"Disable a key: nothing is encrypted or decrypted with it."`
	Enable  kmsEnable  `cmd:"" help:"Enable a disabled key."`
}

// Help is shown by --help below the commands.
func (kmsCmd) Help() string {
	return `Each object and report is encrypted with a key of its own. These keys wrap the keys of
objects, and the master key wraps these keys. The master key is in the data folder (master.key) or comes
from ` + masterEnv + ` (32 bytes in base64) or --master-key-file. Keep a copy: without it no encrypted data can be read.`
}

type kmsFlags struct{ keptFlags }

// A keyring is the encryption keys that a command works on, in a folder or a database.
type keyring struct {
	*kms.Keys
	kept *keptIn
}

func (k *keyring) close() error { return k.kept.close() }

func (f *kmsFlags) open() (*keyring, error) {
	k, err := f.keptFlags.open()
	if err != nil {
		return nil, err
	}
	r := &keyring{kept: k}
	if k.shared != nil {
		r.Keys, err = k.shared.EncryptionKeys(k.master)
	} else {
		r.Keys, err = f.openFolder(k.master)
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return r, nil
}

func (f *kmsFlags) openFolder(master []byte) (*kms.Keys, error) {
	folder, err := f.folder()
	if err != nil {
		return nil, err
	}
	return server.OpenKeys(folder, master, "")
}

// kmsError marks input that can never be accepted as a usage error.
func kmsError(err error) error {
	if errors.Is(err, kms.ErrInvalidName) {
		return usageError{err}
	}
	return err
}

// A kmsLine is a key in the output for programs.
type kmsLine struct {
	ID       string    `json:"id"`
	Name     string    `json:"name,omitempty"`
	Account  string    `json:"account,omitempty"` // missing: of the next server that starts on the folder
	Default  bool      `json:"default,omitempty"` // the service's own
	Disabled bool      `json:"disabled"`
	Versions int       `json:"versions"`
	Created  time.Time `json:"created"`
	Rotated  time.Time `json:"rotated,omitzero"`
}

func kmsLineOf(k kms.Info) kmsLine {
	return kmsLine{k.ID, k.Name, k.Account, k.Default, k.Disabled, k.Versions, k.Created, k.Rotated}
}

type kmsCreate struct {
	kmsFlags
	jsonFlag
	AccountID string `name:"account-id" help:"Account whose buckets may use the key." default:"1000000000000000"`
	Name      string `arg:"" optional:"" help:"Name of the key. It can be used instead of the id."`
}

// Run makes a key and prints its id.
func (c *kmsCreate) Run(con console) error {
	keys, err := c.open()
	if err != nil {
		return err
	}
	defer keys.close()
	k, err := keys.Create(c.AccountID, c.Name)
	if err != nil {
		return kmsError(err)
	}
	if err := keys.kept.changed(con); err != nil {
		return err
	}
	return c.say(con, kmsLineOf(k), "%s", k.ID)
}

type kmsList struct {
	kmsFlags
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists keys.
func (c *kmsList) Run(con console) error {
	keys, err := c.open()
	if err != nil {
		return err
	}
	defer keys.close()
	all := keys.List()
	if c.JSON {
		lines := make([]kmsLine, len(all))
		for i, k := range all {
			lines[i] = kmsLineOf(k)
		}
		return terminal.PrintLines(con.out, lines)
	}
	columns := []string{"KEY", "NAME", "STATE", "VERSIONS", "CREATED", "ROTATED"}
	shared := slices.ContainsFunc(all, func(k kms.Info) bool { return k.Account != all[0].Account })
	if shared {
		columns = append(columns, "ACCOUNT")
	}
	t := terminal.NewTable(con.out, columns...)
	for _, k := range all {
		name, state := orDash(k.Name), "enabled"
		if k.Default {
			name = "(default)"
		}
		if k.Disabled {
			state = "disabled"
		}
		row := []any{k.ID, name, state, k.Versions, when(k.Created), when(k.Rotated)}
		if shared {
			row = append(row, orDash(k.Account))
		}
		t.Row(row...)
	}
	return t.Flush("no keys")
}

// kmsKey is the argument of commands on one key.
type kmsKey struct {
	kmsFlags
	jsonFlag
	Key string `arg:"" help:"Id or name of the key."`
}

func (c *kmsKey) change(con console, done string, change func(*kms.Keys) (kms.Info, error)) error {
	keys, err := c.open()
	if err != nil {
		return err
	}
	defer keys.close()
	k, err := change(keys.Keys)
	if err != nil {
		return kmsError(err)
	}
	if err := keys.kept.changed(con); err != nil {
		return err
	}
	return c.say(con, kmsLineOf(k), "%s key %s (%s)", done, k.ID, many(int64(k.Versions), "version"))
}

type (
	kmsRotate  struct{ kmsKey }
	kmsDisable struct{ kmsKey }
	kmsEnable  struct{ kmsKey }
)

// Run rotates a key.
func (c *kmsRotate) Run(con console) error {
	return c.change(con, "rotated", func(k *kms.Keys) (kms.Info, error) { return k.Rotate(c.Key) })
}

// Run disables a key.
func (c *kmsDisable) Run(con console) error {
	return c.change(con, "disabled", func(k *kms.Keys) (kms.Info, error) { return k.SetDisabled(c.Key, true) })
}

// Run enables a key.
func (c *kmsEnable) Run(con console) error {
	return c.change(con, "enabled", func(k *kms.Keys) (kms.Info, error) { return k.SetDisabled(c.Key, false) })
}

type kmsMaster struct {
	kmsFlags
	jsonFlag
}

// Help is shown by --help.
func (kmsMaster) Help() string {
	return `Write the new master key and, in the next line, the former one to the master key file (or
` + masterEnv + `). Servers and commands decrypt with both keys and encrypt with the one in
use. Give the file to all servers and restart them one after the other, then run this command
with the same file. Finally remove the former key from the file and restart the servers again.
The command refuses to run while a server without the new key uses the database. It changes
everything or nothing, and may be repeated.`
}

// A masterChange is what rotate-master did, for programs.
type masterChange struct {
	Changed []string `json:"changed"` // what was encrypted with a former master key
}

// Run encrypts with the first master key.
func (c *kmsMaster) Run(con console) error {
	k, err := c.keptFlags.open()
	if err != nil {
		return err
	}
	defer k.close()
	done := masterChange{Changed: []string{}}
	if k.shared != nil {
		changed, err := k.shared.RotateMaster(context.Background(), k.master)
		if err != nil {
			return err
		}
		done.Changed = append(done.Changed, changed...)
	} else {
		keys, err := c.openFolder(k.master)
		if err != nil {
			return err
		}
		changed, err := keys.RotateMaster()
		if err != nil {
			return err
		}
		if changed {
			done.Changed = append(done.Changed, "encryption-keys")
		}
	}
	if err := k.changed(con); err != nil {
		return err
	}
	if len(done.Changed) == 0 {
		return c.say(con, done, "everything is encrypted with the first master key already")
	}
	return c.say(con, done, "encrypted with the new master key: %s; take the former one out of the file, and restart the servers", strings.Join(done.Changed, ", "))
}
