package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/terminal"
)

// keyCmd is `stocktake key`.
type keyCmd struct {
	List    keyList    `cmd:"" aliases:"ls" help:"List access keys, without their secrets."`
	Create  keyCreate  `cmd:"" help:"Create an access key of the account or of a user. Its secret is shown only once."`
	Disable keyDisable `cmd:"" help:"Disable a key: requests signed with it are refused."`
	Enable  keyEnable  `cmd:"" help:"Enable a disabled key."`
	Delete  keyDelete  `cmd:"" help:"Delete a key."`
	Root    keyRoot    `cmd:"" help:"Print the root access key that a server has created."`
}

type keyList struct {
	accessFlags
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists keys.
func (c *keyList) Run(con console) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	defer d.close()
	keys, err := d.Keys(c.AccountID)
	if err != nil {
		return accessError(err)
	}
	if c.JSON {
		type line struct {
			ID       string `json:"id"`
			User     string `json:"user,omitempty"`
			Disabled bool   `json:"disabled"`
		}
		lines := make([]line, len(keys))
		for i, k := range keys {
			lines[i] = line{k.ID, k.User, k.Disabled}
		}
		return terminal.PrintLines(con.out, lines)
	}
	t := terminal.NewTable(con.out, "KEY", "OF", "STATE", "CREATED")
	for _, k := range keys {
		of, state := "the account", "enabled"
		if k.User != "" {
			of = "user " + k.User
		}
		if k.Disabled {
			state = "disabled"
		}
		t.Row(k.ID, of, state, when(k.Created))
	}
	return t.Flush("no access keys but the root key")
}

type keyCreate struct {
	accessFlags
	User string `help:"User that gets the key; created if missing. Default: the account." placeholder:"NAME"`
	JSON bool   `help:"Print JSON."`
}

// Run makes a key.
func (c *keyCreate) Run(con console) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	defer d.close()
	if c.User != "" {
		if _, err := d.CreateUser(c.AccountID, c.User); err != nil && !errors.Is(err, ram.ErrExists) {
			return accessError(err)
		}
	}
	k, err := d.CreateKey(c.AccountID, c.User)
	if err != nil {
		return accessError(err)
	}
	if err := d.kept.changed(con); err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(con.out, server.AccessKey{ID: k.ID, Secret: k.Secret})
	}
	_, err = sayf(con.out, "OSS_ACCESS_KEY_ID=%s\nOSS_ACCESS_KEY_SECRET=%s\n", k.ID, k.Secret)
	return err
}

type keyRoot struct {
	keptFlags
	JSON bool `help:"Print JSON."`
}

// Run prints the root key.
func (c *keyRoot) Run(con console) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	defer d.close()
	var k server.AccessKey
	if d.shared != nil {
		k, err = d.shared.RootKey()
	} else {
		k, err = server.ReadRootKey(server.Folder(c.Data))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no server has created a root key here: the root key is in OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET of the server: %w", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(con.out, k)
	}
	_, err = sayf(con.out, "OSS_ACCESS_KEY_ID=%s\nOSS_ACCESS_KEY_SECRET=%s\n", k.ID, k.Secret)
	return err
}

// keyID is the argument of commands on one key.
type keyID struct {
	accessFlags
	jsonFlag
	ID string `arg:"" help:"Id of the access key."`
}

func (c *keyID) change(con console, done string, change func(d *ram.Directory) error) error {
	return c.edit(con, c.jsonFlag, accessChange{Done: done, Kind: "key", Name: c.ID}, change)
}

type (
	keyDisable struct{ keyID }
	keyEnable  struct{ keyID }
	keyDelete  struct{ keyID }
)

// Run disables a key.
func (c *keyDisable) Run(con console) error {
	return c.change(con, "disabled", func(d *ram.Directory) error { return d.SetKeyDisabled(c.ID, true) })
}

// Run enables a key.
func (c *keyEnable) Run(con console) error {
	return c.change(con, "enabled", func(d *ram.Directory) error { return d.SetKeyDisabled(c.ID, false) })
}

// Run deletes a key.
func (c *keyDelete) Run(con console) error {
	return c.change(con, "deleted", func(d *ram.Directory) error { return d.DeleteKey(c.ID) })
}
