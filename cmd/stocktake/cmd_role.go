package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/terminal"
)

// roleCmd is `stocktake role`.
type roleCmd struct {
	List   roleList   `cmd:"" aliases:"ls" help:"List roles."`
	Create roleCreate `cmd:"" help:"Create a role for the inventory service and for users that its trust policy names."`
	Delete roleDelete `cmd:"" help:"Delete a role. Its sessions lose their rights at once."`
	Trust  roleTrust  `cmd:"" help:"Replace the trust policy of a role."`
	Attach roleAttach `cmd:"" help:"Attach a policy to a role."`
	Detach roleDetach `cmd:"" help:"Detach a policy from a role."`
}

// Help is shown by --help below the commands.
func (roleCmd) Help() string {
	return `Until the first role is defined, every role has the rights of its account. From then on
the role of an inventory configuration must exist and be allowed to write its reports.`
}

// A roleLine is a role in the output for programs.
type roleLine struct {
	Name     string   `json:"name"`
	ARN      string   `json:"arn"`
	Policies []string `json:"policies,omitempty"`
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
	defer d.close()
	roles, err := d.Roles(c.AccountID)
	if err != nil {
		return accessError(err)
	}
	if c.JSON {
		lines := make([]roleLine, len(roles))
		for i, r := range roles {
			lines[i] = roleLine{r.Name, roleARN(c.AccountID, r.Name), r.Policies}
		}
		return terminal.PrintLines(con.out, lines)
	}
	t := terminal.NewTable(con.out, "ROLE", "POLICIES", "ARN")
	for _, r := range roles {
		t.Row(r.Name, orDash(strings.Join(r.Policies, ",")), roleARN(c.AccountID, r.Name))
	}
	return t.Flush("no roles: until one is created, every role has the rights of the account (unless the server runs with --production)")
}

type roleCreate struct {
	accessFlags
	jsonFlag
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
	defer d.close()
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
			return accessError(fmt.Errorf("the role was created; attach %s: %w", p, err))
		}
	}
	if err := d.kept.changed(con); err != nil {
		return err
	}
	return c.say(con, roleLine{c.Name, roleARN(c.AccountID, c.Name), c.Attach}, "%s", roleARN(c.AccountID, c.Name))
}

type (
	roleDelete struct{ named }
	roleAttach struct{ attached }
	roleDetach struct{ attached }
	roleTrust  struct {
		named
		File string `arg:"" help:"File with the trust policy, JSON."`
	}
)

// Run deletes a role.
func (c *roleDelete) Run(con console) error {
	return c.change(con, "role", "deleted", func(d *ram.Directory) error { return d.DeleteRole(c.AccountID, c.Name) })
}

// Run attaches a policy.
func (c *roleAttach) Run(con console) error {
	return c.change(con, "role", "attached", func(d *ram.Directory) error { return d.AttachRolePolicy(c.AccountID, c.Name, c.Policy) })
}

// Run detaches a policy.
func (c *roleDetach) Run(con console) error {
	return c.change(con, "role", "detached", func(d *ram.Directory) error { return d.DetachRolePolicy(c.AccountID, c.Name, c.Policy) })
}

// Run replaces the trust policy.
func (c *roleTrust) Run(con console) error {
	doc, err := readDocument(c.File)
	if err != nil {
		return err
	}
	return c.change(con, "role", "changed the trust policy of", func(d *ram.Directory) error { return d.SetTrust(c.AccountID, c.Name, doc) })
}
