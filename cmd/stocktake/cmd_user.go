package main

import (
	"strings"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/terminal"
)

// userCmd is `stocktake user`.
type userCmd struct {
	List   userList   `cmd:"" aliases:"ls" help:"List users."`
	Create userCreate `cmd:"" help:"Create a user without keys and policies."`
	Delete userDelete `cmd:"" help:"Delete a user and its keys."`
	Attach userAttach `cmd:"" help:"Attach a policy to a user."`
	Detach userDetach `cmd:"" help:"Detach a policy from a user."`
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
	defer d.close()
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
		return terminal.PrintLines(con.out, lines)
	}
	t := terminal.NewTable(con.out, "USER", "KEYS", "POLICIES")
	for _, u := range users {
		t.Row(u.Name, len(u.Keys), orDash(strings.Join(u.Policies, ",")))
	}
	return t.Flush("no users")
}

type (
	userCreate struct{ named }
	userDelete struct{ named }
	userAttach struct{ attached }
	userDetach struct{ attached }
)

// Run makes a user.
func (c *userCreate) Run(con console) error {
	return c.change(con, "user", "created", func(d *ram.Directory) error { _, err := d.CreateUser(c.AccountID, c.Name); return err })
}

// Run deletes a user.
func (c *userDelete) Run(con console) error {
	return c.change(con, "user", "deleted", func(d *ram.Directory) error { return d.DeleteUser(c.AccountID, c.Name) })
}

// Run attaches a policy.
func (c *userAttach) Run(con console) error {
	return c.change(con, "user", "attached", func(d *ram.Directory) error { return d.AttachUserPolicy(c.AccountID, c.Name, c.Policy) })
}

// Run detaches a policy.
func (c *userDetach) Run(con console) error {
	return c.change(con, "user", "detached", func(d *ram.Directory) error { return d.DetachUserPolicy(c.AccountID, c.Name, c.Policy) })
}
