package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/stocktake/stocktake/internal/datafolder"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/server"
)

// accessFlags say whose accounts a command works on. A server that runs on the
// same folder, or database, has every change in force when the command returns.
type accessFlags struct {
	keptFlags
	AccountID string `group:"Connection" name:"account-id" help:"Account." default:"1000000000000000"`
}

// A directory is the accounts that a command works on, in a folder or a database.
type directory struct {
	*ram.Directory
	kept *keptIn
}

func (d *directory) close() error { return d.kept.close() }

// open opens the directory of accounts.
func (f *accessFlags) open() (*directory, error) {
	k, err := f.keptFlags.open()
	if err != nil {
		return nil, err
	}
	d := &directory{kept: k}
	if k.shared == nil {
		d.Directory, err = f.openFolder()
		return d, err
	}
	key, _, err := envKey()
	if err == nil {
		d.Directory, err = k.shared.Accounts(key, f.AccountID)
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return d, nil
}

func (f *accessFlags) openFolder() (*ram.Directory, error) {
	folder, err := f.folder()
	if err != nil {
		return nil, err
	}
	if err := folder.Check(); err != nil {
		return nil, err
	}
	if err := folder.CheckParts(datafolder.AccountsName); err != nil {
		return nil, err
	}
	key, err := server.ReadRootKey(folder)
	if env, ok, bad := envKey(); ok || bad != nil {
		key, err = env, bad
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return ram.Open(folder.Accounts(), ram.Root{AccessKeyID: key.ID, Secret: key.Secret, Account: f.AccountID}, ram.Options{})
}

// An accessChange is a verb's change of accounts, for programs.
type accessChange struct {
	Done   string `json:"done"` // "created", "deleted", "attached" and the like
	Kind   string `json:"kind"` // "key", "user", "role" or "policy"
	Name   string `json:"name"`
	Policy string `json:"policy,omitempty"` // that was attached or detached
}

func (c accessChange) String() string {
	switch {
	case c.Done == "attached":
		return fmt.Sprintf("attached policy %s to %s %s", c.Policy, c.Kind, c.Name)
	case c.Done == "detached":
		return fmt.Sprintf("detached policy %s from %s %s", c.Policy, c.Kind, c.Name)
	case c.Kind == "key":
		return c.Done + " access key " + c.Name
	}
	return fmt.Sprintf("%s %s %s", c.Done, c.Kind, c.Name)
}

// edit changes the directory and says what was done.
func (f *accessFlags) edit(con console, out jsonFlag, done accessChange, change func(d *ram.Directory) error) error {
	d, err := f.open()
	if err != nil {
		return err
	}
	defer d.close()
	if err := change(d.Directory); err != nil {
		return accessError(err)
	}
	if err := d.kept.changed(con); err != nil {
		return err
	}
	return out.say(con, done, "%s", done)
}

// accessError marks input that the directory can never accept as a usage error.
func accessError(err error) error {
	_, isPolicy := errors.AsType[*ram.PolicyError](err)
	if isPolicy || errors.Is(err, ram.ErrInvalidName) || errors.Is(err, ram.ErrDuration) {
		return usageError{err}
	}
	return err
}

// readDocument reads a policy from a file; "" is none.
func readDocument(path string) (ram.Document, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{err}
	}
	return b, nil
}

func roleARN(account, name string) string { return "acs:ram::" + account + ":role/" + name }

// policiesExist refuses names of policies before anything is made: once the
// first role is defined, undefined roles may do nothing.
func policiesExist(d *directory, account string, names []string) error {
	policies, err := d.Policies(account)
	if err != nil {
		return accessError(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(policies, func(p ram.NamedPolicy) bool { return p.Name == name }) {
			return accessError(fmt.Errorf("--attach: policy %s: %w", name, ram.ErrNoSuchPolicy))
		}
	}
	return nil
}

// named is the argument of verbs on one user, role or policy.
type named struct {
	accessFlags
	jsonFlag
	Name string `arg:"" help:"Name."`
}

func (c *named) change(con console, kind, done string, change func(d *ram.Directory) error) error {
	return c.edit(con, c.jsonFlag, accessChange{Done: done, Kind: kind, Name: c.Name}, change)
}

// attached is the arguments of verbs that attach and detach policies.
type attached struct {
	named
	Policy string `arg:"" help:"Name of the policy."`
}

func (c *attached) change(con console, kind, done string, change func(d *ram.Directory) error) error {
	return c.edit(con, c.jsonFlag, accessChange{Done: done, Kind: kind, Name: c.Name, Policy: c.Policy}, change)
}
