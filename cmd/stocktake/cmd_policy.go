package main

import (
	"encoding/json"
	"fmt"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/terminal"
)

// policyCmd is `stocktake policy`.
type policyCmd struct {
	List   policyList   `cmd:"" aliases:"ls" help:"List policies."`
	Show   policyShow   `cmd:"" help:"Print a policy."`
	Put    policyPut    `cmd:"" help:"Add or replace a policy. The change takes effect at once."`
	Delete policyDelete `cmd:"" help:"Delete a policy that is not attached to any user or role."`
}

// policies returns the policies of the account.
func (c *accessFlags) policies() ([]ram.NamedPolicy, error) {
	d, err := c.open()
	if err != nil {
		return nil, err
	}
	defer d.close()
	policies, err := d.Policies(c.AccountID)
	if err != nil {
		return nil, accessError(err)
	}
	return policies, nil
}

type policyList struct {
	accessFlags
	JSON bool `help:"Print one JSON object a line."`
}

// Run lists policies.
func (c *policyList) Run(con console) error {
	policies, err := c.policies()
	if err != nil {
		return err
	}
	if c.JSON {
		type line struct {
			Name     string          `json:"name"`
			BuiltIn  bool            `json:"builtIn"`
			Declared bool            `json:"declared"`
			Document json.RawMessage `json:"document"`
		}
		lines := make([]line, len(policies))
		for i, p := range policies {
			lines[i] = line{p.Name, p.System, p.Declared, json.RawMessage(p.Document)}
		}
		return terminal.PrintLines(con.out, lines)
	}
	t := terminal.NewTable(con.out, "POLICY", "FROM")
	for _, p := range policies {
		from := "the account"
		switch {
		case p.System:
			from = "built in"
		case p.Declared:
			from = "the declared file"
		}
		t.Row(p.Name, from)
	}
	return t.Flush("no policies")
}

type policyShow struct{ named }

// Run prints a policy.
func (c *policyShow) Run(con console) error {
	policies, err := c.policies()
	if err != nil {
		return err
	}
	for _, p := range policies {
		if p.Name == c.Name {
			return terminal.WriteDocument(con.out, append(p.Document, '\n'), terminal.EscapeJSON) // it is JSON, with --json or without
		}
	}
	return fmt.Errorf("policy %s: %w", c.Name, ram.ErrNoSuchPolicy)
}

type policyPut struct {
	named
	File string `arg:"" help:"File with the policy, JSON."`
}

// Run puts a policy.
func (c *policyPut) Run(con console) error {
	doc, err := readDocument(c.File)
	if err != nil {
		return err
	}
	return c.change(con, "policy", "put", func(d *ram.Directory) error { return d.PutPolicy(c.AccountID, c.Name, doc) })
}

type policyDelete struct{ named }

// Run deletes a policy.
func (c *policyDelete) Run(con console) error {
	return c.change(con, "policy", "deleted", func(d *ram.Directory) error { return d.DeletePolicy(c.AccountID, c.Name) })
}
