package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/ram"
)

// roleCmd is `stocktake role`.
type roleCmd struct {
	List   roleList   `cmd:"" help:"List roles."`
	Create roleCreate `cmd:"" help:"Make a role that the inventory service, and whoever its trust policy names, may assume."`
	Delete roleDelete `cmd:"" help:"Delete a role; its sessions lose their rights at once."`
	Trust  roleTrust  `cmd:"" help:"Replace the trust policy of a role."`
	Attach roleAttach `cmd:"" help:"Give a role a policy."`
	Detach roleDetach `cmd:"" help:"Take a policy from a role."`
}

// Help is shown by --help below the commands.
func (roleCmd) Help() string {
	return `A role that nobody defined acts with the rights of its account, until the first role
is defined: from then on an inventory configuration needs a role that exists and may
write its reports.`
}

type roleList struct {
	accessFlags
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists roles.
func (c *roleList) Run(con console) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	roles, err := d.Roles(c.AccountID)
	if err != nil {
		return accessError(err)
	}
	if c.JSON {
		type line struct {
			Name     string   `json:"name"`
			ARN      string   `json:"arn"`
			Policies []string `json:"policies,omitempty"`
		}
		lines := make([]line, len(roles))
		for i, r := range roles {
			lines[i] = line{r.Name, roleARN(c.AccountID, r.Name), r.Policies}
		}
		return printLines(con.out, lines)
	}
	t := newTable(con.out, "ROLE", "POLICIES", "ARN")
	for _, r := range roles {
		t.row(r.Name, orDash(strings.Join(r.Policies, ",")), roleARN(c.AccountID, r.Name))
	}
	return t.flush("no roles: until there is one, every role acts with the rights of the account (unless the server has --production)")
}

func roleARN(account, name string) string { return "acs:ram::" + account + ":role/" + name }

type roleCreate struct {
	accessFlags
	Name       string        `arg:"" help:"Name of the role."`
	Trust      string        `help:"File with the trust policy, JSON. Default: the account and the inventory service." placeholder:"FILE"`
	MaxSession time.Duration `help:"Longest session of AssumeRole." default:"1h"`
	Attach     []string      `help:"Policies to attach." placeholder:"POLICY"`
}

// Run makes a role.
func (c *roleCreate) Run(con console) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	trust, err := readDocument(c.Trust)
	if err != nil {
		return err
	}
	if err := policiesExist(d, c.AccountID, c.Attach); err != nil {
		return err
	}
	if _, err := d.CreateRole(c.AccountID, c.Name, trust, c.MaxSession); err != nil {
		return accessError(err)
	}
	for _, p := range c.Attach {
		if err := d.AttachRolePolicy(c.AccountID, c.Name, p); err != nil {
			return accessError(fmt.Errorf("the role was made; attach %s: %w", p, err))
		}
	}
	_, err = fmt.Fprintln(con.out, roleARN(c.AccountID, c.Name))
	return err
}

// policiesExist refuses names of policies before anything is made: the first
// role ends that every role may do everything.
func policiesExist(d *ram.Directory, account string, names []string) error {
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

// A principal is a user or role that a command changes.
type principal struct {
	accessFlags
	Name string `arg:"" help:"Name."`
}

func (c *principal) change(con console, done string, change func(d *ram.Directory) error) error {
	return c.edit(con, c.Name+" "+done, change)
}

// attached is principal with a policy.
type attached struct {
	principal
	Policy string `arg:"" help:"Name of the policy; see stocktake policy list."`
}

type (
	roleDelete struct{ principal }
	roleAttach struct{ attached }
	roleDetach struct{ attached }
	roleTrust  struct {
		principal
		File string `arg:"" help:"File with the trust policy, JSON."`
	}
)

// Run deletes a role.
func (c *roleDelete) Run(con console) error {
	return c.change(con, "deleted", func(d *ram.Directory) error { return d.DeleteRole(c.AccountID, c.Name) })
}

// Run attaches a policy.
func (c *roleAttach) Run(con console) error {
	return c.change(con, "has "+c.Policy, func(d *ram.Directory) error { return d.AttachRolePolicy(c.AccountID, c.Name, c.Policy) })
}

// Run detaches a policy.
func (c *roleDetach) Run(con console) error {
	return c.change(con, "no longer has "+c.Policy, func(d *ram.Directory) error { return d.DetachRolePolicy(c.AccountID, c.Name, c.Policy) })
}

// Run replaces the trust policy.
func (c *roleTrust) Run(con console) error {
	doc, err := readDocument(c.File)
	if err != nil {
		return err
	}
	return c.change(con, "has a new trust policy", func(d *ram.Directory) error { return d.SetTrust(c.AccountID, c.Name, doc) })
}

// userCmd is `stocktake user`.
type userCmd struct {
	List   userList   `cmd:"" help:"List users."`
	Create userCreate `cmd:"" help:"Make a user, without keys and rights."`
	Delete userDelete `cmd:"" help:"Delete a user and its keys."`
	Attach userAttach `cmd:"" help:"Give a user a policy."`
	Detach userDetach `cmd:"" help:"Take a policy from a user."`
}

type userList struct {
	accessFlags
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists users.
func (c *userList) Run(con console) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	users, err := d.Users(c.AccountID)
	if err != nil {
		return accessError(err)
	}
	if c.JSON {
		type line struct {
			Name     string   `json:"name"`
			Keys     int      `json:"keys"`
			Policies []string `json:"policies,omitempty"`
		}
		lines := make([]line, len(users))
		for i, u := range users {
			lines[i] = line{u.Name, len(u.Keys), u.Policies}
		}
		return printLines(con.out, lines)
	}
	t := newTable(con.out, "USER", "KEYS", "POLICIES")
	for _, u := range users {
		t.row(u.Name, len(u.Keys), orDash(strings.Join(u.Policies, ",")))
	}
	return t.flush("no users")
}

type (
	userCreate struct{ principal }
	userDelete struct{ principal }
	userAttach struct{ attached }
	userDetach struct{ attached }
)

// Run makes a user.
func (c *userCreate) Run(con console) error {
	return c.change(con, "created", func(d *ram.Directory) error { _, err := d.CreateUser(c.AccountID, c.Name); return err })
}

// Run deletes a user.
func (c *userDelete) Run(con console) error {
	return c.change(con, "deleted", func(d *ram.Directory) error { return d.DeleteUser(c.AccountID, c.Name) })
}

// Run attaches a policy.
func (c *userAttach) Run(con console) error {
	return c.change(con, "has "+c.Policy, func(d *ram.Directory) error { return d.AttachUserPolicy(c.AccountID, c.Name, c.Policy) })
}

// Run detaches a policy.
func (c *userDetach) Run(con console) error {
	return c.change(con, "no longer has "+c.Policy, func(d *ram.Directory) error { return d.DetachUserPolicy(c.AccountID, c.Name, c.Policy) })
}
